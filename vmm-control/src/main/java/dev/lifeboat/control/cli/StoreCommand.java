// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import picocli.CommandLine.Command;

/** {@code lifeboat store}: what looks into a store, with or without agents. */
@Command(
        name = "store",
        description = "Looks into the passive store: what is there, whether it is whole, and what can go.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            StoreLsCommand.class,
            StoreShowCommand.class,
            StoreVerifyCommand.class,
            StoreGcCommand.class,
            StoreExportCommand.class
        })
final class StoreCommand {}
