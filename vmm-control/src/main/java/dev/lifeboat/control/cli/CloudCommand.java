// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import picocli.CommandLine.Command;

/** {@code lifeboat cloud}. */
@Command(
        name = "cloud",
        description = "Looks at what the cloud of a controller.json allows, and makes hosts for it.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            CloudDoctorCommand.class,
            CloudPlanCommand.class,
            CloudSimulateCommand.class,
            CloudUserDataCommand.class
        })
final class CloudCommand {}
