// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat evacuate}. */
@Command(
        name = "evacuate",
        description = "Moves a running microVM to another host and waits until it runs there.",
        mixinStandardHelpOptions = true)
final class EvacuateCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Option(names = "--to", paramLabel = "HOST", description = "only there; else its lifeboat, then any other peer")
    String target;

    @Option(
            names = "--deadline",
            paramLabel = "WHEN",
            description = "seconds from now (90s), or a UTC time (2026-01-31T12:00:00Z); default: 10 minutes from now")
    String deadline;

    @Override
    public Integer call() throws InterruptedException {
        ObjectNode wish = Json.MAPPER.createObjectNode();
        if (target != null) {
            wish.put("target", target);
        }
        if (deadline != null) {
            wish.put("deadlineMillis", millis(deadline));
        }
        options.client().post(options.agent, "/v1/vms/" + vmId + "/evacuate", wish, Waiting.CALL_LIMIT_MS);
        return Waiting.untilEvacuated(options, Terminal.system(), vmId);
    }

    static long millis(String when) {
        try {
            if (when.matches("-?[0-9]{1,9}s?")) {
                return System.currentTimeMillis() + 1_000L * Long.parseLong(when.replace("s", ""));
            }
            return Instant.parse(when).toEpochMilli();
        } catch (DateTimeParseException e) {
            throw new ControlException(
                    ExitCode.USAGE, "--deadline " + when + " is neither seconds (90s) nor a UTC time", e);
        }
    }
}
