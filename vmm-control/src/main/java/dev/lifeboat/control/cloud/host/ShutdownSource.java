// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.host;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalSink;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The shutdown of this host's operating system, such as after the ACPI signal by which a cloud ends an instance: held back
 * by a delay lock of systemd-logind (systemd-inhibit(1)) and heard of by its signal PrepareForShutdown
 * (org.freedesktop.login1(5)). The lock is let go when the host is empty. Runs on its thread {@code signal-host-shutdown},
 * with two child processes that end with it.
 */
public final class ShutdownSource implements PreemptionSource {
    static final String NAME = "host-shutdown";
    private static final String LOGIND = "org.freedesktop.login1";
    private static final long LOOK_MS = 100;
    private static final long RETRY_MS = 3_000;
    private static final long COMMAND_LIMIT_MS = 2_000;
    /** logind's InhibitDelayMaxSec unless configured. */
    private static final long DEFAULT_DELAY_MS = 5_000;

    private static final Pattern DELAY = Pattern.compile("t (\\d+)");
    private static final Pattern SHUTDOWN = Pattern.compile("PrepareForShutdown.*?\\[\\s*(true|false)\\s*\\]");
    private static final int MAX_LINE_BYTES = 65_536;

    /**
     * @param inhibit holds the lock while it runs; ends when its input does, as when this process dies
     * @param monitor writes one line for each signal of logind, as JSON
     * @param delay writes how long the lock holds, as {@code t MICROSECONDS}
     */
    record Commands(List<String> inhibit, List<String> monitor, List<String> delay) {}

    static final Commands SYSTEMD = new Commands(
            List.of(
                    "systemd-inhibit",
                    "--what=shutdown",
                    "--mode=delay",
                    "--who=lifeboat",
                    "--why=VMs are moved to other hosts",
                    "cat"),
            List.of(
                    "busctl",
                    "--system",
                    "--json=short",
                    "monitor",
                    "--match=type='signal',interface='" + LOGIND + ".Manager',member='PrepareForShutdown'"),
            List.of(
                    "busctl",
                    "--system",
                    "get-property",
                    LOGIND,
                    "/org/freedesktop/login1",
                    LOGIND + ".Manager",
                    "InhibitDelayMaxUSec"));

    private final Commands commands;
    private final Clocks clocks;
    private final BooleanSupplier hostIsEmpty;

    public ShutdownSource(Clocks clocks, BooleanSupplier hostIsEmpty) {
        this(SYSTEMD, clocks, hostIsEmpty);
    }

    ShutdownSource(Commands commands, Clocks clocks, BooleanSupplier hostIsEmpty) {
        this.commands = commands;
        this.clocks = clocks;
        this.hostIsEmpty = hostIsEmpty;
    }

    /** Why this machine has no such locks; empty when it has. */
    public static Optional<String> unavailabilityCause() {
        if (!new File("/run/systemd/system").isDirectory()) {
            return Optional.of("the machine was not started by systemd");
        }
        for (String program : List.of("systemd-inhibit", "busctl")) {
            boolean found = List.of(
                            System.getenv().getOrDefault("PATH", "/usr/bin").split(File.pathSeparator))
                    .stream()
                    .anyMatch(directory -> new File(directory, program).canExecute());
            if (!found) {
                return Optional.of("there is no " + program + " in PATH");
            }
        }
        return Optional.empty();
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public void watch(SignalSink sink) throws InterruptedException {
        while (true) {
            try {
                hold(sink);
            } catch (IOException e) {
                sink.failed(NAME, e.getMessage());
            }
            Thread.sleep(RETRY_MS);
        }
    }

    /** Until one of the children ends. */
    private void hold(SignalSink sink) throws IOException, InterruptedException {
        long delayMs = delayMs();
        Process inhibit = start(commands.inhibit());
        try {
            Process monitor = start(commands.monitor());
            try {
                listen(sink, inhibit, monitor, delayMs);
            } finally {
                monitor.destroy();
            }
        } finally {
            inhibit.destroy();
        }
    }

    private void listen(SignalSink sink, Process inhibit, Process monitor, long delayMs)
            throws IOException, InterruptedException {
        Optional<Signal> standing = Optional.empty();
        Lines lines = new Lines(monitor.getInputStream());
        while (monitor.isAlive() && (inhibit.isAlive() || standing.isPresent())) {
            sink.standing(NAME, standing.map(List::of).orElse(List.of()));
            Optional<String> line = lines.next();
            while (line.isPresent()) {
                Matcher news = SHUTDOWN.matcher(line.get());
                if (news.find()) {
                    standing = news.group(1).equals("true") ? Optional.of(signal(delayMs)) : Optional.empty();
                    sink.standing(NAME, standing.map(List::of).orElse(List.of()));
                }
                line = lines.next();
            }
            if (standing.isPresent() && hostIsEmpty.getAsBoolean()) {
                // Nothing is left to wait for.
                inhibit.destroy();
            }
            Thread.sleep(LOOK_MS);
        }
        throw new IOException((monitor.isAlive() ? commands.inhibit() : commands.monitor()).get(0)
                + " has ended; a shutdown of this host would not be held back");
    }

    private Signal signal(long delayMs) {
        return new Signal(
                NAME,
                "",
                "shutdown",
                Signal.Kind.SHUTDOWN,
                "shutdown",
                OptionalLong.of(clocks.inMillis(delayMs)),
                Signal.Confidence.MEDIUM,
                "the operating system shuts down; systemd-logind holds it back for " + delayMs + " ms");
    }

    private long delayMs() throws IOException, InterruptedException {
        Process ask = start(commands.delay());
        if (!ask.waitFor(COMMAND_LIMIT_MS, TimeUnit.MILLISECONDS)) {
            ask.destroyForcibly();
            throw new IOException(commands.delay().get(0) + " does not answer");
        }
        String answer = new String(ask.getInputStream().readNBytes(MAX_LINE_BYTES), StandardCharsets.UTF_8).strip();
        Matcher number = DELAY.matcher(answer);
        return number.matches() ? Long.parseLong(number.group(1)) / 1_000 : DEFAULT_DELAY_MS;
    }

    private static Process start(List<String> command) throws IOException {
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    /** Lines of a pipe without waiting for one: a thread that waits for a pipe cannot be interrupted. */
    private static final class Lines {
        private final InputStream in;
        private final StringBuilder begun = new StringBuilder();

        Lines(InputStream in) {
            this.in = in;
        }

        Optional<String> next() throws IOException {
            while (in.available() > 0) {
                int next = in.read();
                if (next == '\n' || begun.length() >= MAX_LINE_BYTES) {
                    String line = begun.toString();
                    begun.setLength(0);
                    return Optional.of(line);
                }
                if (next >= 0) {
                    begun.append((char) next);
                }
            }
            return Optional.empty();
        }
    }
}
