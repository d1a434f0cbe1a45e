// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.StoreInspector;
import dev.lifeboat.vmm.Json;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code lifeboat store ls}. */
@Command(
        name = "ls",
        description = "Lists the VMs in a store, with the newest epoch whose objects are all there.",
        mixinStandardHelpOptions = true)
final class StoreLsCommand implements Callable<Integer> {
    private static final String ROW = "%-24s %8s %8s %7s %10s %-10s %-20s %s";

    @Mixin
    StoreOptions options;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        StoreInspector.Overview found = options.with((store, key) -> new StoreInspector(store).overview());
        if (options.json) {
            terminal.json(Json.MAPPER.valueToTree(found));
            return ExitCode.OK;
        }
        terminal.line(String.format(ROW, "VM", "EPOCH", "AGE", "EPOCHS", "SIZE", "ENCRYPTED", "OWNER", "MESSAGE")
                .stripTrailing());
        for (StoreInspector.VmLine vm : found.vms()) {
            terminal.line(String.format(
                            ROW,
                            vm.vmId(),
                            vm.newestWhole().map(String::valueOf).orElse("-"),
                            vm.cutAtMillis().map(Figures::age).orElse("-"),
                            vm.epochs(),
                            Figures.bytes(vm.storedBytes()),
                            vm.encrypted() ? "yes" : "no",
                            vm.owner()
                                    .map(owner -> owner.host() + " (term " + owner.term() + ")")
                                    .orElse("-"),
                            vm.problem().orElse(""))
                    .stripTrailing());
        }
        if (!found.foreign().isEmpty()) {
            terminal.line(found.foreign().size() + " objects under vm/ belong to no VM and are left alone, such as "
                    + found.foreign().get(0));
        }
        return ExitCode.OK;
    }
}
