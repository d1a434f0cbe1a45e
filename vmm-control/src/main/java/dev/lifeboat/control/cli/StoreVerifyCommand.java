// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.StoreVerifier;
import dev.lifeboat.vmm.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat store verify}. */
@Command(
        name = "verify",
        description = "Reads everything, and names each damaged object and what it costs.",
        mixinStandardHelpOptions = true,
        footer = {"", "Exit code 1 when something is damaged."})
final class StoreVerifyCommand implements Callable<Integer> {
    /** More stretches of lost pages than this are for --json. */
    private static final int STRETCHES_SHOWN = 8;

    @Mixin
    StoreOptions options;

    @Parameters(paramLabel = "VM", arity = "0..1")
    String vmId;

    @Option(names = "--all", description = "every VM in the store")
    boolean all;

    @Override
    public Integer call() {
        if (all == (vmId != null)) {
            throw new ControlException(ExitCode.USAGE, "which VM? Name one, or write --all");
        }
        Terminal terminal = Terminal.system();
        List<StoreVerifier.Report> reports = options.with((store, key) -> {
            StoreVerifier verifier = new StoreVerifier(
                    store, key, (done, of) -> terminal.progress("read " + done + " of " + of + " segments"));
            List<StoreVerifier.Report> made = new ArrayList<>();
            for (String id : all ? verifier.vms() : List.of(vmId)) {
                made.add(verifier.verify(id));
            }
            return made;
        });
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(reports));
        } else {
            reports.forEach(report -> print(terminal, report));
        }
        boolean damaged = reports.stream().anyMatch(report -> !report.damages().isEmpty());
        return damaged ? ExitCode.FAILED : ExitCode.OK;
    }

    private static void print(Terminal terminal, StoreVerifier.Report report) {
        for (StoreVerifier.Damage damage : report.damages()) {
            terminal.line(damage.object() + ": " + damage.what());
            if (damage.costs().isEmpty()) {
                terminal.line("    costs no epoch");
            }
            for (StoreVerifier.Cost cost : damage.costs()) {
                terminal.line("    costs epoch " + cost.epoch() + (cost.all() ? " as a whole" : ": " + lost(cost)));
            }
        }
        terminal.line("VM " + report.vmId() + ": " + report.epochs() + " epochs, " + report.segments() + " segments, "
                + Figures.bytes(report.bytesRead()) + " read"
                + (report.contentsRead() ? "" : " (checksums only: encrypted, and no --store-key)") + ", "
                + (report.damages().isEmpty()
                        ? "nothing damaged"
                        : report.damages().size() + " objects damaged; newest epoch that restores: "
                                + report.restorable().map(String::valueOf).orElse("none")));
    }

    private static String lost(StoreVerifier.Cost cost) {
        StringBuilder text = new StringBuilder();
        for (StoreVerifier.Lost lost :
                cost.lost().subList(0, Math.min(STRETCHES_SHOWN, cost.lost().size()))) {
            text.append(text.length() == 0 ? "" : ", ")
                    .append(lost.space())
                    .append(lost.space().equals("memory") ? " page " : " block ")
                    .append(lost.first())
                    .append(lost.count() == 1 ? "" : " to " + (lost.first() + lost.count() - 1));
        }
        int more = cost.lost().size() - STRETCHES_SHOWN;
        return text + (more > 0 ? ", and " + more + " more stretches (--json has all)" : "");
    }
}
