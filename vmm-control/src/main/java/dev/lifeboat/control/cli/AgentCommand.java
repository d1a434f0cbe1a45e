// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.agent.Agent;
import dev.lifeboat.control.agent.Enrolment;
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
            names = "--enroll",
            paramLabel = "URL",
            description =
                    "come into the fleet first: the controller's address for new hosts; writes agent.json and keys")
    String enroll;

    @Option(names = "--token", paramLabel = "TOKEN", description = "with --enroll: the one-time token of this host")
    String token;

    @Option(
            names = "--authority",
            paramLabel = "FILE",
            description = "with --enroll: the fleet authority's certificate (default: ca.crt beside agent.json)")
    Path authority;

    @Option(
            names = "--cloud",
            paramLabel = "CLOUD",
            description = "aws, azure, gcp or none, whatever agent.json says; found out unless named in either")
    Optional<String> cloud = Optional.empty();

    @Option(names = "--metadata-url", paramLabel = "URL", description = "of the cloud's metadata service")
    Optional<String> metadataUrl = Optional.empty();

    @Override
    public Integer call() {
        if (enroll == null) {
            return Main.role(() -> Agent.run(config, cloud, metadataUrl));
        }
        if (token == null) {
            throw new ControlException(ExitCode.USAGE, "--enroll needs --token");
        }
        Path trusted = authority == null ? config.toAbsolutePath().resolveSibling("ca.crt") : authority;
        return Main.role(() -> enrolAndRun(enroll, token, trusted, config));
    }

    /** In one process: the start of a second one would cost an emulated host a quarter of a minute. */
    static void enrolAndRun(String url, String token, Path authority, Path config) throws InterruptedException {
        Enrolment.enrol(url, token, authority, config);
        Agent.run(config);
    }
}
