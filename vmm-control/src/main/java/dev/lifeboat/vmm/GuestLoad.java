// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * How busy the guest keeps its vCPUs, by what the kernel knows of their threads: one that has nothing to do halts, and
 * its thread sleeps. Time in which a thread waits for a processor counts as busy. One thread at a time.
 */
final class GuestLoad {
    private final Path threads;
    private final String names;
    private long lastNs = System.nanoTime();
    private Map<Path, Long> last = Map.of();

    /** @param names how the names of the vCPUs' threads begin */
    GuestLoad(String names) {
        this(Path.of("/proc/self/task"), names);
    }

    GuestLoad(Path threads, String names) {
        this.threads = threads;
        this.names = names;
    }

    /** Of the busiest vCPU, the share of the time since the last call, or since this was made, in which it wanted to run. */
    double sinceLastCall() {
        long nowNs = System.nanoTime();
        Map<Path, Long> now = wantedNs();
        double most = 0;
        for (Map.Entry<Path, Long> thread : now.entrySet()) {
            long before = last.getOrDefault(thread.getKey(), 0L);
            most = Math.max(most, (double) (thread.getValue() - before) / Math.max(1, nowNs - lastNs));
        }
        lastNs = nowNs;
        last = now;
        return most;
    }

    private Map<Path, Long> wantedNs() {
        Map<Path, Long> wanted = new HashMap<>();
        try (Stream<Path> all = Files.list(threads)) {
            for (Path thread : all.toList()) {
                if (text(thread.resolve("comm")).startsWith(names)) {
                    wanted.put(thread, wantedNs(text(thread.resolve("schedstat"))));
                }
            }
        } catch (IOException | UncheckedIOException e) {
            // A thread that has just ended, or a kernel without these figures: then nothing is known.
            return Map.of();
        }
        return wanted;
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.ISO_8859_1);
    }

    /** sched-stats in the kernel's documentation: nanoseconds on a processor, waiting for one, and a count. */
    private static long wantedNs(String schedstat) {
        List<String> fields = List.of(schedstat.strip().split(" "));
        return fields.size() < 2 ? 0 : Long.parseLong(fields.get(0)) + Long.parseLong(fields.get(1));
    }
}
