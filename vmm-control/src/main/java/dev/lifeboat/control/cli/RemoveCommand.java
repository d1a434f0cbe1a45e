// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ExitCode;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code lifeboat rm}. */
@Command(
        name = "rm",
        description = "Switches a microVM off, hard, and forgets it on its host; its epochs stay in the store.",
        mixinStandardHelpOptions = true)
final class RemoveCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        JsonNode answer = options.client().delete(options.agent, "/v1/vms/" + vmId, Waiting.CALL_LIMIT_MS);
        if (options.json) {
            terminal.json(answer);
        } else {
            terminal.line(vmId + " is removed");
        }
        return ExitCode.OK;
    }
}
