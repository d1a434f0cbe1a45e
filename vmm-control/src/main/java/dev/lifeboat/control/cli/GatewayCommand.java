// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.gateway.Gateway;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat gateway}. */
@Command(name = "gateway", description = "Runs the gateway on this machine.", mixinStandardHelpOptions = true)
final class GatewayCommand implements Callable<Integer> {
    @Option(names = "--config", required = true, paramLabel = "FILE", description = "gateway.json")
    Path config;

    @Override
    public Integer call() {
        return Main.role(() -> Gateway.run(config));
    }
}
