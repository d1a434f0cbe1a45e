// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** One run of a hook, on the caller's thread; its output goes to a file and its last line into the reason of a failure. */
final class HookRun {
    private static final long KILL_WAIT_MS = 1_000;
    private static final int WORDS_BYTES = 300;

    private HookRun() {}

    /**
     * @param what such as {@code gate}
     * @param leftMs until the deadline
     * @return why it failed; empty when it succeeded
     */
    static Optional<String> run(
            String what, VmHooks.Hook hook, String vmId, String source, String target, long leftMs, Path directory)
            throws InterruptedException {
        long limitMs = Math.max(1, Math.min(hook.limitMs(), leftMs));
        Path output = directory.resolve("hook-" + vmId + "-" + what + ".log");
        String named = "the " + what + " hook " + hook.command().get(0);
        try {
            Files.createDirectories(directory);
            ProcessBuilder builder = new ProcessBuilder(hook.command())
                    .redirectErrorStream(true)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(output.toFile());
            builder.environment().put("LIFEBOAT_VM", vmId);
            builder.environment().put("LIFEBOAT_SOURCE", source);
            builder.environment().put("LIFEBOAT_TARGET", target);
            builder.environment().put("LIFEBOAT_DEADLINE_MS", Long.toString(leftMs));
            Process process = builder.start();
            try {
                if (!process.waitFor(limitMs, TimeUnit.MILLISECONDS)) {
                    return Optional.of(named + " did not end within " + limitMs + " ms");
                }
            } finally {
                if (process.isAlive()) {
                    process.descendants().forEach(ProcessHandle::destroyForcibly);
                    process.destroyForcibly().waitFor(KILL_WAIT_MS, TimeUnit.MILLISECONDS);
                }
            }
            return process.exitValue() == 0
                    ? Optional.empty()
                    : Optional.of(named + " ended with exit code " + process.exitValue() + lastWords(output));
        } catch (IOException e) {
            return Optional.of(named + " cannot be run: " + e.getMessage());
        }
    }

    private static String lastWords(Path output) throws IOException {
        String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8).strip();
        String line = text.substring(text.lastIndexOf('\n') + 1);
        return line.isEmpty() ? "" : ": " + line.substring(0, Math.min(line.length(), WORDS_BYTES));
    }
}
