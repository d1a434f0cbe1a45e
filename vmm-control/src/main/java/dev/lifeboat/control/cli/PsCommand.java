// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ExitCode;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code lifeboat ps}. */
@Command(name = "ps", description = "Lists the microVMs of a host.", mixinStandardHelpOptions = true)
final class PsCommand implements Callable<Integer> {
    private static final String ROW = "%-24s %-12s %6s %8s %8s %9s  %s";

    @Mixin
    ClientOptions options;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        JsonNode vms = options.client().get(options.agent, "/v1/vms", Waiting.CALL_LIMIT_MS);
        if (options.json) {
            terminal.json(vms);
            return ExitCode.OK;
        }
        terminal.line(String.format(ROW, "VM", "STATE", "VCPUS", "MEMORY", "EPOCH", "LAG", "MESSAGE")
                .stripTrailing());
        for (JsonNode vm : vms) {
            terminal.line(String.format(
                            ROW,
                            vm.path("vmId").asText(),
                            vm.path("state").asText(),
                            vm.path("spec").path("vcpus").asText(),
                            vm.path("spec").path("memoryMiB").asText() + "M",
                            vm.path("epoch").asText("-"),
                            vm.has("lagPages") ? vm.path("lagPages").asLong() * 4 + "K" : "-",
                            vm.path("message").asText(""))
                    .stripTrailing());
        }
        return ExitCode.OK;
    }
}
