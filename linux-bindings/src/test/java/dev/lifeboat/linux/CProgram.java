// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * What a C program says that is compiled against the kernel's headers of this machine. Without a compiler the test that
 * asks is aborted with the reason; with {@code LIFEBOAT_TESTS_MUST_RUN=1} in the environment, as in CI, it fails.
 */
public final class CProgram {
    private static final long LIMIT_S = 60;

    private CProgram() {}

    /**
     * Compiles with all warnings as errors, and runs.
     *
     * @param folder for source and program; the caller's to remove
     * @return what the program printed
     */
    public static String output(Path folder, String source) throws IOException, InterruptedException {
        Path code = Files.writeString(folder.resolve("program.c"), source);
        Path program = folder.resolve("program");
        requireCompiler();
        run("gcc", "-Wall", "-Werror", "-o", program.toString(), code.toString());
        return run(program.toString());
    }

    private static void requireCompiler() throws InterruptedException {
        try {
            run("gcc", "--version");
        } catch (IOException e) {
            String reason = "gcc is missing; on Debian: apt-get install gcc libc6-dev linux-libc-dev";
            if ("1".equals(System.getenv("LIFEBOAT_TESTS_MUST_RUN"))) {
                fail(reason, e);
            }
            abort(reason);
        }
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(LIMIT_S, TimeUnit.SECONDS))
                    .as("the end of %s", String.join(" ", command))
                    .isTrue();
            assertThat(process.exitValue()).as(output).isZero();
            return output;
        } finally {
            process.destroyForcibly();
        }
    }
}
