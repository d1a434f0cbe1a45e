// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.controller.Controller;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat controller}. */
@Command(
        name = "controller",
        description = "Runs the controller on this machine: buys hosts and lets them into the fleet.",
        mixinStandardHelpOptions = true)
final class ControllerCommand implements Callable<Integer> {
    @Option(names = "--config", required = true, paramLabel = "FILE", description = "controller.json")
    Path config;

    @Override
    public Integer call() {
        return Main.role(() -> Controller.run(config));
    }
}
