// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.vmm.Json;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code lifeboat cloud doctor}. */
@Command(
        name = "doctor",
        description = "Tries each ability that the program may need, and names the permission that is missing.",
        mixinStandardHelpOptions = true,
        footer = {"", "Changes nothing. Exit code 0 when all is there, 6 when something is missing."})
final class CloudDoctorCommand implements Callable<Integer> {
    @Mixin
    CloudOptions options;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        List<Cloud.Finding> findings = options.with(Cloud::check);
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(findings));
        } else {
            for (Cloud.Finding finding : findings) {
                terminal.line(String.format(
                        "%-8s %-28s %s%s",
                        finding.works() ? "works" : "missing",
                        finding.ability(),
                        finding.permission(),
                        finding.advice().isEmpty() ? "" : ". Do: " + finding.advice()));
            }
        }
        return findings.stream().allMatch(Cloud.Finding::works) ? ExitCode.OK : ExitCode.MISSING;
    }
}
