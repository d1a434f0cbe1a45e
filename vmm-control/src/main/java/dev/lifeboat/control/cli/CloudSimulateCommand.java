// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code lifeboat cloud simulate}. */
@Command(
        name = "simulate",
        description = "Lets the cloud itself take a host away, as it would a spot instance: a rehearsal.",
        mixinStandardHelpOptions = true)
final class CloudSimulateCommand implements Callable<Integer> {
    @Mixin
    CloudOptions options;

    @Parameters(paramLabel = "INSTANCE", description = "the cloud's name of it; it will be gone")
    String instance;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        String cloud = options.with(some -> {
            some.rehearse(instance);
            return some.kind().word();
        });
        if (options.json) {
            terminal.json(
                    Json.MAPPER.createObjectNode().put("instance", instance).put("cloud", cloud));
        } else {
            terminal.line(cloud + " takes " + instance + " away; see: lifeboat events");
        }
        return ExitCode.OK;
    }
}
