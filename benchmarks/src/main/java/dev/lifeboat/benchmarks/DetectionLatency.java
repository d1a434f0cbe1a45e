// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import dev.lifeboat.cloudfakes.metadata.CloudMetadata;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalBoard;
import dev.lifeboat.control.cloud.aws.AwsSources;
import dev.lifeboat.control.cloud.azure.AzureSources;
import dev.lifeboat.control.cloud.google.GoogleSources;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * How long after a change of its metadata a host knows: from the change to the call of the board's listener, for each cloud
 * with the agent's own intervals. "Cold" is the first change that a set of sources sees, with the code of all clouds but the
 * first already compiled in part. Prints and asserts nothing. Arguments: repetitions (20) and seed (1).
 */
public final class DetectionLatency {
    private static final long POLL_MS = 1_000;
    private static final long LIMIT_S = 20;

    private DetectionLatency() {}

    public static void main(String[] arguments) throws Exception {
        int times = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 20;
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : 1;
        System.out.println("seed " + seed + ", " + times + " notices a cloud, at random moments of the interval");
        for (CloudKind kind : CloudKind.values()) {
            measure(kind, times, new Random(seed));
        }
    }

    private static void measure(CloudKind kind, int times, Random random) throws IOException, InterruptedException {
        BlockingQueue<Long> heardNs = new ArrayBlockingQueue<>(16);
        BlockingQueue<Long> calmNs = new ArrayBlockingQueue<>(16);
        try (CloudMetadata service = CloudMetadata.start(kind.word(), InstantSource.system())) {
            SignalBoard board = new SignalBoard(Clocks.SYSTEM, new Ear(heardNs, calmNs));
            List<Thread> threads = new ArrayList<>();
            for (PreemptionSource source : sources(kind, "http://127.0.0.1:" + service.port())) {
                Thread thread = new Thread(
                        () -> {
                            try {
                                source.watch(board);
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        },
                        "signal-" + source.name());
                thread.setDaemon(true);
                threads.add(thread);
                thread.start();
            }
            List<Double> warmMs = new ArrayList<>();
            double coldMs = -1;
            for (int i = 0; i <= times; i++) {
                Thread.sleep(200 + random.nextInt((int) POLL_MS));
                long changedNs = System.nanoTime();
                service.announce(Instant.now().plusSeconds(100));
                double ms = (next(heardNs) - changedNs) / 1e6;
                if (i == 0) {
                    coldMs = ms;
                } else {
                    warmMs.add(ms);
                }
                service.withdraw();
                next(calmNs);
            }
            threads.forEach(Thread::interrupt);
            Collections.sort(warmMs);
            System.out.printf(
                    "%-6s cold %7.1f ms, warm: median %7.1f ms, worst %7.1f ms%n",
                    kind.word(), coldMs, warmMs.get(warmMs.size() / 2), warmMs.get(warmMs.size() - 1));
        }
    }

    private static long next(BlockingQueue<Long> queue) throws InterruptedException {
        Long at = queue.poll(LIMIT_S, TimeUnit.SECONDS);
        if (at == null) {
            throw new IllegalStateException("nothing was heard within " + LIMIT_S + " s");
        }
        return at;
    }

    private static List<PreemptionSource> sources(CloudKind kind, String url) {
        return switch (kind) {
            case AWS -> AwsSources.all(url, Clocks.SYSTEM, POLL_MS);
            case AZURE -> AzureSources.all(url, Clocks.SYSTEM, POLL_MS, Map.of(), () -> false);
            case GOOGLE -> GoogleSources.all(url, Clocks.SYSTEM, Map.of());
        };
    }

    private record Ear(BlockingQueue<Long> heardNs, BlockingQueue<Long> calmNs) implements SignalBoard.Listener {
        @Override
        public void appeared(Signal signal) {
            heardNs.offer(System.nanoTime());
        }

        @Override
        public void tightened(Signal signal) {
            // The deadline of another announcement; the first call counts.
        }

        @Override
        public void withdrawn(Signal signal) {
            calmNs.offer(System.nanoTime());
        }

        @Override
        public void failing(String source, String why) {
            System.out.println(source + " failed: " + why);
        }

        @Override
        public void recovered(String source) {
            System.out.println(source + " looks again");
        }
    }
}
