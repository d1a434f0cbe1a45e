// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The real {@code lifeboat} command in a process of its own on this machine, as a user types it, towards the agent of one
 * emulated host. It runs in the thread that asks.
 *
 * @param folder for what it prints; the caller's to remove
 * @param host whose agent it talks to
 * @param tls directory of the certificates
 * @param name of the certificate
 */
record LifeboatCommand(Path folder, String host, Path tls, String name) {

    private static final int AGENT_PORT = 7443;

    /** How it ended, and what it printed on each stream. */
    record Said(int exitCode, String output, String errors) {}

    /** With the certificate of the fabric's own authority. */
    static LifeboatCommand trusted(Path folder, String host) {
        return new LifeboatCommand(folder, host, Path.of("target", "system-test-logs", "certificates"), "harness");
    }

    Said run(Duration limit, String... words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.lifeboat.control.cli.Main"));
        command.addAll(Arrays.asList(words));
        int port = SharedFabric.get().machine(host).harnessPort(AGENT_PORT);
        command.addAll(List.of(
                "--agent", "https://127.0.0.1:" + port, "--tls-dir", tls.toString(), "--tls-name", name, "--json"));
        Path output = folder.resolve("output.txt");
        Path errors = folder.resolve("errors.txt");
        Process process = new ProcessBuilder(command)
                .redirectOutput(output.toFile())
                .redirectError(errors.toFile())
                .start();
        try {
            assertThat(process.waitFor(limit.toSeconds(), TimeUnit.SECONDS))
                    .as("the end of %s within %d s", String.join(" ", words), limit.toSeconds())
                    .isTrue();
        } finally {
            process.destroyForcibly();
        }
        return new Said(process.exitValue(), Files.readString(output), Files.readString(errors));
    }
}
