// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs {@link NetworkChecks} in a process with network namespaces of its own: directly as root, in a user namespace
 * otherwise. Nothing of it reaches this machine's network. Where the kernel does not offer that, the test is aborted
 * with the reason; with {@code LIFEBOAT_TESTS_MUST_RUN=1} in the environment, as in CI, it fails instead.
 */
class NetworkOnRealKernelTest {
    private static final long LIMIT_S = 120;

    @TempDir
    private Path directory;

    @TestFactory
    Stream<DynamicTest> checksOnARealKernel() throws Exception {
        List<String> isolation = isRoot() ? List.of("unshare", "-n") : List.of("unshare", "-rn");
        whyImpossible(isolation).ifPresent(reason -> {
            if ("1".equals(System.getenv("LIFEBOAT_TESTS_MUST_RUN"))) {
                fail(reason);
            }
            abort(reason);
        });
        Output output = run(isolation, NetworkChecks.class.getName());
        List<String> lines = output.text().lines().toList();
        assertThat(output.exitCode()).as(output.text()).isIn(0, 1);
        return NetworkChecks.all().keySet().stream()
                .map(name -> DynamicTest.dynamicTest(
                        name, () -> assertThat(lines).as(output.text()).contains("PASS " + name)));
    }

    private Optional<String> whyImpossible(List<String> isolation) throws Exception {
        if (!Files.isReadable(Path.of("/dev/net/tun")) || !Files.isWritable(Path.of("/dev/net/tun"))) {
            return Optional.of("/dev/net/tun is missing or not ours to open: modprobe tun, or run as root");
        }
        Output output = run(isolation, NetworkProbe.class.getName());
        return output.exitCode() == 0
                ? Optional.empty()
                : Optional.of("no network namespace with bridge, VXLAN and tap can be made here: " + output.text());
    }

    private static boolean isRoot() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
    }

    private Output run(List<String> isolation, String mainClass) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(isolation);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (Runtime.version().feature() >= 24) {
            command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
        }
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-Xmx256m", "-cp", classPath, mainClass));
        File text = directory.resolve(mainClass + ".txt").toFile();
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(text)
                    .start();
        } catch (IOException e) {
            return new Output(127, "unshare is missing (apt-get install util-linux): " + e.getMessage());
        }
        boolean ended = process.waitFor(LIMIT_S, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
        String output = Files.readString(text.toPath(), StandardCharsets.UTF_8);
        return new Output(
                ended ? process.exitValue() : -1, ended ? output : output + "\nkilled after " + LIMIT_S + " s");
    }

    private record Output(int exitCode, String text) {}
}
