// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.vmm.Json;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat restore}. */
@Command(
        name = "restore",
        description = "Brings a microVM up from its last epoch in the store, when its host is gone.",
        mixinStandardHelpOptions = true)
final class RestoreCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Option(
            names = "--spec",
            paramLabel = "FILE",
            description = "description of the VM in JSON; needed on a host that was no peer of its last one")
    Path spec;

    @Option(
            names = "--store-key",
            paramLabel = "KEY",
            description = {
                "what its epochs are encrypted with: file:/path on the agent's host, or aws-kms:ARN",
                "(default: that of its description, else the agent's)"
            })
    String storeKey;

    @Override
    public Integer call() throws InterruptedException {
        ObjectNode wish = Json.MAPPER.createObjectNode();
        if (spec != null) {
            try {
                wish.set("spec", Json.MAPPER.valueToTree(Json.readFile(spec, VmSpec.class)));
            } catch (IllegalArgumentException e) {
                throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
            }
        }
        if (storeKey != null) {
            wish.put("storeKey", storeKey);
        }
        options.client().post(options.agent, "/v1/vms/" + vmId + "/restore", wish, Waiting.CALL_LIMIT_MS);
        return Waiting.untilRunning(options, Terminal.system(), vmId);
    }
}
