// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import picocli.CommandLine.Command;

/** {@code lifeboat rules}. */
@Command(
        name = "rules",
        description = "What agents do when a cloud announces the end of a host: tries rules on recorded signals.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {RulesTestCommand.class, RulesTraceCommand.class})
final class RulesCommand {}
