// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.RunCodec;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PagePipelineTest {
    private static final int RUNS = 256;

    private static GuestMemory filled() {
        GuestMemory memory = new GuestMemory(RUNS * 16 * 4096L);
        SplittableRandom random = new SplittableRandom(11);
        for (long page = 0; page < memory.pages(); page += 1 + random.nextInt(3)) {
            long address = memory.pageAddress(page);
            for (int i = 0; i < 512; i++) {
                NativeMemory.putLong(address + i * 8, page % 2 == 0 ? random.nextLong() : page);
            }
        }
        return memory;
    }

    private static void pass(PagePipeline pipeline, GuestMemory memory) {
        for (int run = 0; run < RUNS; run++) {
            pipeline.publish(0, run * 16L, 16, memory.pageAddress(run * 16L));
        }
        pipeline.drain();
    }

    @Test
    void runsReachTheSinkInTheOrderTheyWerePublishedWithSeveralEncoders() {
        List<Long> seen = new ArrayList<>();
        try (GuestMemory memory = filled();
                PagePipeline pipeline = new PagePipeline("test", 3, 16)) {
            pipeline.begin((space, first, count, encoding, payload, crc) -> {
                assertThat(crc).isEqualTo(RunCodec.crc32c(payload));
                seen.add(first);
            });
            pass(pipeline, memory);
        }
        assertThat(seen).hasSize(RUNS).isSorted();
    }

    @Test
    void aSinkThatFailsFailsThePassAndTheNextPassIsNotTouchedByIt() {
        AtomicLong accepted = new AtomicLong();
        try (GuestMemory memory = filled();
                PagePipeline pipeline = new PagePipeline("test", 1, 16)) {
            pipeline.begin((space, first, count, encoding, payload, crc) -> {
                throw new IllegalStateException("disk full");
            });
            assertThatThrownBy(() -> pass(pipeline, memory)).hasMessage("disk full");
            pipeline.begin((space, first, count, encoding, payload, crc) -> accepted.incrementAndGet());
            pass(pipeline, memory);
        }
        assertThat(accepted).hasValue(RUNS);
    }

    @Test
    void aStoreThatDoesNotKeepUpGetsZstdAndAPeerNever() throws Exception {
        for (boolean toStore : new boolean[] {true, false}) {
            CountDownLatch full = new CountDownLatch(1);
            Set<Byte> encodings = ConcurrentHashMap.newKeySet();
            try (GuestMemory memory = filled();
                    PagePipeline pipeline =
                            toStore ? PagePipeline.toStore("slow", 1, 16, 0) : new PagePipeline("slow", 1, 16)) {
                pipeline.begin((space, first, count, encoding, payload, crc) -> {
                    awaitAtMost20Seconds(full);
                    encodings.add(encoding);
                    if (toStore && !encodings.contains(RunCodec.ZSTD)) {
                        // The ring was full of runs that the encoder had not come to yet: it gets on meanwhile.
                        LockSupport.parkNanos(1_000_000);
                    }
                });
                Thread opener = new Thread(() -> {
                    // The sink holds the first run: the ring fills up behind it.
                    while (pipeline.freeRuns() > 0) {
                        Thread.onSpinWait();
                    }
                    full.countDown();
                });
                opener.start();
                pass(pipeline, memory);
                opener.join();
                assertThat(encodings.contains(RunCodec.ZSTD)).isEqualTo(toStore);
                assertThat(encodings).contains(RunCodec.LZ4);
            }
        }
    }

    private static void awaitAtMost20Seconds(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aRunOfHotAndOtherPagesReachesTheSinkInParts() {
        List<String> parts = new ArrayList<>();
        try (GuestMemory memory = filled();
                PagePipeline pipeline = PagePipeline.toStore("parts", 1, 16, 1 << 20)) {
            for (long page : new long[] {35, 36, 40}) {
                NativeMemory.putLong(memory.pageAddress(page), page);
            }
            for (int time = 0; time < 3; time++) {
                parts.clear();
                pipeline.begin((space, first, count, encoding, payload, crc) -> {
                    assertThat(crc).isEqualTo(RunCodec.crc32c(payload));
                    parts.add(first + "+" + count + " " + encoding);
                });
                if (time < 2) {
                    pipeline.publish(0, 35, 2, memory.pageAddress(35));
                    pipeline.publish(0, 40, 1, memory.pageAddress(40));
                } else {
                    NativeMemory.putLong(memory.pageAddress(35) + 80, 1);
                    pipeline.publish(0, 32, 16, memory.pageAddress(32));
                }
                pipeline.drain();
                pipeline.epochCommitted();
            }
        }
        assertThat(parts).hasSize(5);
        assertThat(parts.get(0)).startsWith("32+3 ");
        assertThat(parts.get(1)).isEqualTo("35+2 " + RunCodec.DELTA);
        assertThat(parts.get(2)).startsWith("37+3 ");
        assertThat(parts.get(3)).isEqualTo("40+1 " + RunCodec.DELTA);
        assertThat(parts.get(4)).startsWith("41+7 ");
    }

    @Test
    void noThreadOfThePipelineAllocatesPerRun() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (GuestMemory memory = filled();
                PagePipeline pipeline = PagePipeline.toStore("alloc", 1, 16, 4 << 20)) {
            AtomicLong bytes = new AtomicLong();
            AtomicLong deltas = new AtomicLong();
            pipeline.begin((space, first, count, encoding, payload, crc) -> {
                bytes.lazySet(bytes.get() + payload.remaining());
                deltas.lazySet(deltas.get() + (encoding == RunCodec.DELTA ? 1 : 0));
            });
            for (int i = 0; i < 20; i++) {
                pass(pipeline, memory);
            }
            assertThat(deltas.get()).as("runs with a delta").isPositive();
            // The best of several measurements: the JVM itself now and then allocates on a thread's account.
            long[] ids = threadIds();
            assertThat(ids).hasSize(3);
            long least = Long.MAX_VALUE;
            int passes = 20;
            for (int i = 0; i < 5; i++) {
                long before = allocated(threads, ids);
                for (int n = 0; n < passes; n++) {
                    pass(pipeline, memory);
                }
                least = Math.min(least, allocated(threads, ids) - before);
            }
            assertThat(least).as("bytes allocated for %d runs", passes * RUNS).isLessThan(passes * RUNS);
            assertThat(bytes.get()).isPositive();
        }
    }

    private static long[] threadIds() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("alloc-") || t == Thread.currentThread())
                .mapToLong(Thread::getId)
                .toArray();
    }

    private static long allocated(ThreadMXBean threads, long[] ids) {
        long sum = 0;
        for (long id : ids) {
            sum += threads.getThreadAllocatedBytes(id);
        }
        return sum;
    }
}
