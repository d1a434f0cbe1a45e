// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.GarbageCollector;
import dev.lifeboat.store.ImageCollector;
import dev.lifeboat.store.RetentionPolicy;
import dev.lifeboat.store.StoreVerifier;
import dev.lifeboat.vmm.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat store gc}. */
@Command(
        name = "gc",
        description = "Deletes old epochs and segments that no epoch needs; safe beside running VMs.",
        mixinStandardHelpOptions = true)
final class StoreGcCommand implements Callable<Integer> {
    @Mixin
    StoreOptions options;

    @Parameters(paramLabel = "VM", arity = "0..1")
    String vmId;

    @Option(names = "--all", description = "every VM in the store")
    boolean all;

    @Option(names = "--base-images", description = "instead, base images that no epoch of any VM needs")
    boolean baseImages;

    @Option(names = "--dry-run", description = "only say what would be deleted")
    boolean dryRun;

    @Option(
            names = "--keep-last",
            paramLabel = "N",
            description = "epochs to keep (default: ${DEFAULT-VALUE})",
            defaultValue = "4")
    int keepLast;

    @Option(
            names = "--keep-for",
            paramLabel = "TIME",
            description = "and those of this time: 90s, 30m, 24h, 7d (default: ${DEFAULT-VALUE})",
            defaultValue = "0")
    String keepFor;

    @Option(
            names = "--grace",
            paramLabel = "TIME",
            description = {
                "age from which a segment or checkpoint that no epoch needs is garbage (default: 1h);",
                "less than that only when no VM of the store runs. For base images: time since a VM",
                "was last started with it (default: 24h)"
            })
    String grace;

    @Override
    public Integer call() {
        if ((all ? 1 : 0) + (vmId == null ? 0 : 1) + (baseImages ? 1 : 0) != 1) {
            throw new ControlException(ExitCode.USAGE, "which VM? Name one, or write --all, or --base-images");
        }
        if (baseImages) {
            return collectImages();
        }
        if (keepLast < 1) {
            throw new ControlException(ExitCode.USAGE, "--keep-last " + keepLast + ": at least one epoch is kept");
        }
        RetentionPolicy retention = new RetentionPolicy(keepLast, Figures.millis("--keep-for", keepFor));
        long graceMs = grace == null ? GarbageCollector.GRACE_MS : Figures.millis("--grace", grace);
        List<GarbageCollector.Result> results = options.with((store, key) -> {
            GarbageCollector collector = new GarbageCollector(store, key, retention, graceMs);
            List<GarbageCollector.Result> made = new ArrayList<>();
            for (String id : all ? new StoreVerifier(store, key, (done, of) -> {}).vms() : List.of(vmId)) {
                made.add(collector.collect(id, dryRun));
            }
            return made;
        });
        Terminal terminal = Terminal.system();
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(results));
            return ExitCode.OK;
        }
        for (GarbageCollector.Result result : results) {
            if (dryRun) {
                result.epochs().forEach(epoch -> terminal.line("would delete epoch " + epoch));
                result.segments().forEach(key -> terminal.line("would delete " + key));
            }
            terminal.line("VM " + result.vmId() + ": " + result.epochs().size() + " epochs and "
                    + result.segments().size() + " segments or checkpoints "
                    + (dryRun ? "would be deleted, " : "deleted, ")
                    + Figures.bytes(result.bytes()));
            result.notes().forEach(note -> terminal.line("    " + note));
        }
        return ExitCode.OK;
    }

    private int collectImages() {
        long graceMs = grace == null ? ImageCollector.GRACE_MS : Figures.millis("--grace", grace);
        ImageCollector.Result result = options.with((store, key) -> new ImageCollector(store, graceMs).collect(dryRun));
        Terminal terminal = Terminal.system();
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(result));
            return ExitCode.OK;
        }
        result.copies().forEach(copy -> terminal.line((dryRun ? "would delete " : "deleted ") + copy));
        terminal.line(result.copies().size() + " base images " + (dryRun ? "would be deleted, " : "deleted, ")
                + Figures.bytes(result.bytes()));
        result.notes().forEach(note -> terminal.line("    " + note));
        return ExitCode.OK;
    }
}
