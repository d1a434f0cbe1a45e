// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.cloud.rules.Replay;
import dev.lifeboat.control.cloud.rules.Rules;
import dev.lifeboat.control.cloud.rules.Trace;
import dev.lifeboat.vmm.Json;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat rules test}. */
@Command(
        name = "test",
        description =
                "Replays recorded signals and prints what the rules would have done, with the times of the trace.",
        mixinStandardHelpOptions = true)
final class RulesTestCommand implements Callable<Integer> {
    @Option(names = "--rules", paramLabel = "FILE", description = "the rules; the default ones unless given")
    Path rules;

    @Option(names = "--trace", required = true, paramLabel = "FILE", description = "see: lifeboat rules trace")
    Path trace;

    @Option(names = "--vm", paramLabel = "NAME", defaultValue = "vm", description = "the VM on each host")
    String vm;

    @Option(names = "--json", description = "answer in JSON")
    boolean json;

    @Override
    public Integer call() {
        Replay.Result result;
        try {
            Rules read = Optional.ofNullable(rules).map(Rules::read).orElse(Rules.DEFAULT);
            result = new Replay(read, vm).run(Trace.read(trace));
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
        Terminal terminal = Terminal.system();
        if (json) {
            terminal.json(Json.MAPPER.valueToTree(result));
            return ExitCode.OK;
        }
        for (Replay.Decision decision : result.decisions()) {
            terminal.line(time(decision.atMs()) + "  " + decision.host() + "  " + decision.kind() + " "
                    + decision.action() + " " + decision.what()
                    + (decision.leftMs().isPresent() ? ", " + decision.leftMs().getAsLong() + " ms left" : "")
                    + (decision.reactions().isEmpty() ? "" : ": " + decision.reactions()));
        }
        Replay.Summary sum = result.summary();
        terminal.line(sum.gone() + " of " + sum.hosts() + " hosts went: " + sum.evacuatedAndGone() + " evacuated, "
                + sum.goneUnheard() + " not; least warning used " + sum.leastWarningMs() + " ms");
        terminal.line("for nothing: " + sum.evacuatedForNothing() + " hosts evacuated, " + sum.warmedForNothing()
                + " with a target made ready");
        return ExitCode.OK;
    }

    private static String time(long ms) {
        return String.format("%02d:%02d:%02d.%03d", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    }
}
