// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.EpochExport;
import dev.lifeboat.vmm.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat store export}. */
@Command(
        name = "export",
        description = "Writes an epoch's memory and disks as raw images; never over a file that is there.",
        mixinStandardHelpOptions = true)
final class StoreExportCommand implements Callable<Integer> {
    @Mixin
    StoreOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Option(names = "--epoch", paramLabel = "N", description = "(default: the newest whole one)")
    Long epoch;

    @Option(names = "--memory", paramLabel = "FILE", description = "gets guest memory")
    Path memory;

    @Option(names = "--disk", paramLabel = "FILE", description = "gets the first disk; again for the next")
    List<Path> disks = new ArrayList<>();

    @Override
    public Integer call() {
        if (memory == null && disks.isEmpty()) {
            throw new ControlException(ExitCode.USAGE, "export what? Give --memory FILE, --disk FILE, or both");
        }
        Terminal terminal = Terminal.system();
        EpochExport.Result result = options.with((store, key) -> new EpochExport(store, key)
                .export(vmId, Optional.ofNullable(epoch), Optional.ofNullable(memory), disks));
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(result));
            return ExitCode.OK;
        }
        for (EpochExport.Image image : result.images()) {
            terminal.line(image.space() + " of epoch " + result.epoch() + ": " + image.file() + ", "
                    + Figures.bytes(image.lengthBytes()) + ", " + Figures.bytes(image.writtenBytes())
                    + " without holes");
        }
        return ExitCode.OK;
    }
}
