// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat cloud user-data}. */
@Command(
        name = "user-data",
        description = "Prints the script that makes a Debian machine a host, with a one-time token for it.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "For cloud-init's user data, or to be run as root on a bare machine. The controller must run.",
            "Example: lifeboat cloud user-data host-c --config controller.json | ssh root@host-c sh -s"
        })
final class CloudUserDataCommand implements Callable<Integer> {
    private static final long CALL_LIMIT_MS = 10_000;

    @Mixin
    CloudOptions options;

    @Parameters(paramLabel = "HOST", description = "the machine's name in the fleet")
    String host;

    @Option(
            names = "--memory",
            paramLabel = "MIB",
            description = "what it has for VMs (default: ${DEFAULT-VALUE})",
            defaultValue = "1024")
    int memoryMiB;

    @Option(names = "--vcpus", paramLabel = "N", description = "(default: ${DEFAULT-VALUE})", defaultValue = "1")
    int vcpus;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        ObjectNode wish = Json.MAPPER
                .createObjectNode()
                .put("host", host)
                .put("memoryMiB", memoryMiB)
                .put("vcpus", vcpus);
        JsonNode made = options.client().post(options.read().url(), "/v1/hosts", wish, CALL_LIMIT_MS);
        if (options.json) {
            terminal.json(made);
        } else {
            terminal.raw(made.path("script").asText().getBytes(StandardCharsets.UTF_8));
        }
        return ExitCode.OK;
    }
}
