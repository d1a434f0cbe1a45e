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
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
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
    void noThreadOfThePipelineAllocatesPerRun() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (GuestMemory memory = filled();
                PagePipeline pipeline = new PagePipeline("alloc", 1, 16)) {
            AtomicLong bytes = new AtomicLong();
            pipeline.begin(
                    (space, first, count, encoding, payload, crc) -> bytes.lazySet(bytes.get() + payload.remaining()));
            for (int i = 0; i < 20; i++) {
                pass(pipeline, memory);
            }
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
