// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import dev.lifeboat.store.RunCodec;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Encoding, checksum and decoding of runs beside a plain copy of the same pages: 64 KiB per operation, taken in turn
 * from 64 MiB, so that pages come from memory and not from the cache. 1 op/ms = 65.5 MB/s.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
public class RunCodecBenchmark {
    private static final int MEMORY_BYTES = 64 << 20;
    private static final int RUNS = MEMORY_BYTES / RunCodec.MAX_RUN_BYTES;

    /** What the pages hold. */
    @Param({"zero", "text", "random"})
    public String content;

    private final RunCodec codec = new RunCodec();
    private final ByteBuffer memory = ByteBuffer.allocateDirect(MEMORY_BYTES);
    private final ByteBuffer into = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer payload = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private byte encoding;
    private int next;

    /** Fills the memory and encodes one run for {@link #checksumAndDecode}. */
    @Setup
    public void fill() {
        Random random = new Random(1);
        memory.clear();
        while (!content.equals("zero") && memory.hasRemaining()) {
            byte[] bytes = new byte[64];
            if (content.equals("text")) {
                String line = "key:" + random.nextInt(100_000) + " value=lifeboat-" + random.nextInt(1_000) + "\n";
                bytes = line.getBytes(StandardCharsets.US_ASCII);
            } else {
                random.nextBytes(bytes);
            }
            memory.put(bytes, 0, Math.min(bytes.length, memory.remaining()));
        }
        nextRun();
        encoding = codec.encode(memory, payload.clear());
        payload.flip();
    }

    /** The yardstick. */
    @Benchmark
    public ByteBuffer copy() {
        nextRun();
        return into.put(0, memory, memory.position(), RunCodec.MAX_RUN_BYTES);
    }

    /** As the streamer does it: payload and its checksum. */
    @Benchmark
    public int encodeAndChecksum() {
        nextRun();
        into.clear();
        byte used = codec.encode(memory, into);
        into.flip();
        return used + RunCodec.crc32c(into);
    }

    /** As a restore does it. */
    @Benchmark
    public ByteBuffer checksumAndDecode() {
        payload.rewind();
        int crc = RunCodec.crc32c(payload);
        into.clear();
        codec.decode(encoding, payload, RunCodec.MAX_RUN_PAGES, into);
        return crc == 0 ? payload : into;
    }

    private void nextRun() {
        next = (next + 1) % RUNS;
        memory.clear().position(next * RunCodec.MAX_RUN_BYTES).limit((next + 1) * RunCodec.MAX_RUN_BYTES);
    }
}
