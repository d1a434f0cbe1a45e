// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.host.Doctor;
import dev.lifeboat.vmm.Json;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat doctor}. */
@Command(
        name = "doctor",
        description = "Says what this machine can do and what it lacks.",
        mixinStandardHelpOptions = true,
        footer = {"", "Exit code 0 when it can host microVMs, 6 when something for that is missing."})
final class DoctorCommand implements Callable<Integer> {
    @Option(names = "--json", description = "answer in JSON")
    boolean json;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        List<Doctor.Finding> findings = Doctor.ofThisMachine().examine();
        if (json) {
            terminal.json(Json.MAPPER.valueToTree(findings));
        } else {
            for (Doctor.Finding finding : findings) {
                terminal.line(String.format(
                        "%-8s %-20s %s%s",
                        finding.verdict().name().toLowerCase(java.util.Locale.ROOT),
                        finding.subject(),
                        finding.found(),
                        finding.advice().isEmpty() ? "" : ". Do: " + finding.advice()));
            }
        }
        boolean missing = findings.stream().anyMatch(finding -> finding.verdict() == Doctor.Verdict.MISSING);
        return missing ? ExitCode.MISSING : ExitCode.OK;
    }
}
