// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.agent.Agent;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat agent}. */
@Command(name = "agent", description = "Runs the agent of this host.", mixinStandardHelpOptions = true)
final class AgentCommand implements Callable<Integer> {
    @Option(names = "--config", required = true, paramLabel = "FILE", description = "agent.json")
    Path config;

    @Option(
            names = "--cloud",
            paramLabel = "CLOUD",
            description = "aws, azure, gcp or none, whatever agent.json says; found out unless named in either")
    Optional<String> cloud = Optional.empty();

    @Option(names = "--metadata-url", paramLabel = "URL", description = "of the cloud's metadata service")
    Optional<String> metadataUrl = Optional.empty();

    @Override
    public Integer call() {
        return Main.role(() -> Agent.run(config, cloud, metadataUrl));
    }
}
