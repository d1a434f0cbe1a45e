// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.StoreInspector;
import dev.lifeboat.vmm.Json;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat store show}. */
@Command(name = "show", description = "Shows the epochs, owners and segments of a VM.", mixinStandardHelpOptions = true)
final class StoreShowCommand implements Callable<Integer> {
    private static final String EPOCH = "%10s %6s %8s %9s %10s %10s  %s";
    private static final String SEGMENT = "%10s %8s %7s %6s  %s";

    @Mixin
    StoreOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Option(names = "--segments", description = "also list segments")
    boolean segments;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        StoreInspector.Vm vm = options.with((store, key) -> new StoreInspector(store).vm(vmId, key));
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(vm));
            return ExitCode.OK;
        }
        terminal.line("VM " + vm.vmId() + ": " + Figures.bytes(vm.storedBytes()) + " in the store, memory "
                + Figures.bytes(vm.memoryBytes()) + (vm.encrypted() ? ", encrypted" : "")
                + vm.liveShare()
                        .map(share -> String.format(Locale.ROOT, ", live share %.0f %%", 100 * share))
                        .orElse(vm.encrypted() && options.key == null ? " (live share: needs --store-key)" : ""));
        for (int disk = 0; disk < vm.disks().size(); disk++) {
            terminal.line("disk " + disk + ": "
                    + Figures.bytes(vm.disks().get(disk).lengthBytes())
                    + vm.disks()
                            .get(disk)
                            .baseImage()
                            .map(image -> " on " + image)
                            .orElse(""));
        }
        for (StoreInspector.Owner owner : vm.owners()) {
            terminal.line("term " + owner.term() + ": " + owner.host() + ", " + Figures.age(owner.createdAtMillis())
                    + " ago");
        }
        terminal.line(String.format(EPOCH, "EPOCH", "TERM", "AGE", "SEGMENTS", "SIZE", "NEW", "MESSAGE"));
        for (StoreInspector.Epoch epoch : vm.epochs()) {
            terminal.line(String.format(
                            EPOCH,
                            epoch.epoch(),
                            epoch.term(),
                            epoch.cutAtMillis() == 0 ? "-" : Figures.age(epoch.cutAtMillis()),
                            epoch.segments(),
                            Figures.bytes(epoch.storedBytes()),
                            Figures.bytes(epoch.newBytes()),
                            epoch.problem().map(why -> "not whole: " + why).orElse(""))
                    .stripTrailing());
        }
        long unlisted =
                vm.segments().stream().filter(segment -> segment.epochs() == 0).count();
        terminal.line(vm.segments().size() + " segments, " + unlisted + " of them in no epoch; " + vm.checkpoints()
                + " checkpoints; " + vm.readers() + " readers");
        if (segments) {
            terminal.line(String.format(SEGMENT, "SIZE", "AGE", "EPOCHS", "LIVE", "SEGMENT"));
            for (StoreInspector.Segment segment : vm.segments()) {
                terminal.line(String.format(
                        SEGMENT,
                        Figures.bytes(segment.storedBytes()),
                        Figures.age(segment.modifiedAtMillis()),
                        segment.epochs(),
                        live(segment),
                        segment.key()));
            }
        }
        vm.unknown().forEach(key -> terminal.line("not known to this Lifeboat, and left alone: " + key));
        vm.problem().ifPresent(terminal::line);
        return ExitCode.OK;
    }

    private static String live(StoreInspector.Segment segment) {
        if (segment.pages().isEmpty() || segment.livePages().isEmpty()) {
            return "-";
        }
        long pages = segment.pages().get();
        return (pages == 0 ? 0 : 100 * segment.livePages().get() / pages) + "%";
    }
}
