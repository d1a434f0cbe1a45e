// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.MemoryHash;
import dev.lifeboat.stream.PagePipeline;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Runs of 16 pages per second from guest memory to a sink that only looks at them, beside copying and hashing the same
 * memory. {@code -prof gc} shows what the page path allocates.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 2)
@Fork(1)
public class PagePipelineBenchmark {
    private static final int RUNS = 1024;
    private static final int RUN_BYTES = 16 * GuestMemory.PAGE_BYTES;
    /** Four times the guest, so that hardly a page finds its set full. */
    private static final long HOT_BYTES = 4L * RUNS * RUN_BYTES;

    /** What the pages hold. */
    public enum Content {
        ZERO,
        TEXT,
        RANDOM,
        /** Random pages of which a copy is kept and 8 words have changed. */
        SPARSE
    }

    @Param
    public Content content;

    private GuestMemory memory;
    private PagePipeline pipeline;
    private long copy;
    private long farAway;
    private long sunkBytes;

    @Setup
    public void fill() {
        memory = new GuestMemory((long) RUNS * RUN_BYTES);
        copy = NativeMemory.allocate(RUN_BYTES);
        farAway = NativeMemory.allocate((long) RUNS * RUN_BYTES);
        SplittableRandom random = new SplittableRandom(1);
        for (long page = 0; page < memory.pages(); page++) {
            for (int i = 0; i < GuestMemory.PAGE_BYTES; i += 8) {
                long value = switch (content) {
                    case ZERO -> 0;
                    case TEXT -> 0x6574706f6f6c0000L + random.nextInt(64);
                    case RANDOM, SPARSE -> random.nextLong();
                };
                NativeMemory.putLong(memory.pageAddress(page) + i, value);
            }
        }
        pipeline = PagePipeline.toStore("benchmark", 1, 64, content == Content.SPARSE ? HOT_BYTES : 0);
        beginEpoch();
        if (content == Content.SPARSE) {
            // Pages are kept from the second time on.
            pipeline();
            pipeline();
            pipeline.epochCommitted();
            beginEpoch();
            for (long page = 0; page < memory.pages(); page++) {
                for (int write = 0; write < 8; write++) {
                    NativeMemory.putLong(memory.pageAddress(page) + 8 * random.nextInt(512), random.nextLong());
                }
            }
        }
    }

    private void beginEpoch() {
        pipeline.begin((space, first, count, encoding, payload, crc) -> sunkBytes += payload.remaining());
    }

    @TearDown
    public void free() {
        pipeline.close();
        NativeMemory.free(copy);
        NativeMemory.free(farAway);
        memory.close();
    }

    @Benchmark
    @OperationsPerInvocation(RUNS)
    public long pipeline() {
        for (int run = 0; run < RUNS; run++) {
            pipeline.publish(0, run * 16L, 16, memory.pageAddress(run * 16L));
        }
        pipeline.drain();
        return sunkBytes;
    }

    @Benchmark
    @OperationsPerInvocation(RUNS)
    public long memcpy() {
        for (int run = 0; run < RUNS; run++) {
            NativeMemory.copy(memory.pageAddress(run * 16L), copy, RUN_BYTES);
        }
        return NativeMemory.getLong(copy);
    }

    /** The yardstick that takes as much memory traffic as a store's segments. */
    @Benchmark
    @OperationsPerInvocation(RUNS)
    public long memcpyToMemory() {
        for (int run = 0; run < RUNS; run++) {
            NativeMemory.copy(memory.pageAddress(run * 16L), farAway + (long) run * RUN_BYTES, RUN_BYTES);
        }
        return NativeMemory.getLong(farAway);
    }

    @Benchmark
    @OperationsPerInvocation(RUNS)
    public long hash() {
        return MemoryHash.of(memory);
    }
}
