// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDecompressCtx;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.XorDelta;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Encoding and decoding of runs with their checksum, beside a plain copy, LZ4 alone and zstd alone over the same pages:
 * 64 KiB per operation, taken in turn from 64 MiB, so that pages come from memory and not from the cache. 1 op/ms = 65.5
 * MB/s. Sparse pages are random ones in which 1, 8 or 64 words changed since the copy that their deltas are against.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
public class RunCodecBenchmark {
    private static final int MEMORY_BYTES = 64 << 20;
    private static final int RUN_BYTES = RunCodec.MAX_RUN_BYTES;
    private static final int RUNS = MEMORY_BYTES / RUN_BYTES;

    /** What the pages hold. */
    @Param({"zero", "sparse1", "sparse8", "sparse64", "text", "random"})
    public String content;

    private final RunCodec codec = new RunCodec();
    private final XorDelta xorDelta = new XorDelta();
    private final LZ4Compressor lz4 = LZ4Factory.fastestInstance().fastCompressor();
    private final LZ4SafeDecompressor lz4Decompressor =
            LZ4Factory.fastestInstance().safeDecompressor();
    private final ZstdCompressCtx zstd = new ZstdCompressCtx().setLevel(1);
    private final ZstdDecompressCtx zstdDecompressor = new ZstdDecompressCtx();

    private final ByteBuffer memory = ByteBuffer.allocateDirect(MEMORY_BYTES);
    /** Sparse pages before they were changed. */
    private final ByteBuffer kept = ByteBuffer.allocateDirect(MEMORY_BYTES);

    private final ByteBuffer farAway = ByteBuffer.allocateDirect(MEMORY_BYTES);
    private final ByteBuffer into = ByteBuffer.allocateDirect(2 * RUN_BYTES);
    private final ByteBuffer payload = ByteBuffer.allocateDirect(RUN_BYTES);
    private final ByteBuffer lz4Payload = ByteBuffer.allocateDirect(2 * RUN_BYTES);
    private final ByteBuffer zstdPayload = ByteBuffer.allocateDirect(2 * RUN_BYTES);
    private boolean sparse;
    private byte encoding;
    private int lz4Bytes;
    private int zstdBytes;
    private int next;

    /** Fills the memory and encodes one run for decoding. */
    @Setup
    public void fill() {
        Random random = new Random(1);
        sparse = content.startsWith("sparse");
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
        kept.clear().put(memory.clear());
        int writes = sparse ? Integer.parseInt(content.substring("sparse".length())) : 0;
        for (int page = 0; page < MEMORY_BYTES; page += RunCodec.PAGE_BYTES) {
            for (int write = 0; write < writes; write++) {
                memory.putLong(page + 8 * random.nextInt(RunCodec.PAGE_BYTES / 8), random.nextLong());
            }
        }
        nextRun();
        encoding = encode();
        payload.clear().put(into).flip();
        lz4Bytes = lz4.compress(memory, memory.position(), RUN_BYTES, lz4Payload, 0, lz4Payload.capacity());
        zstdBytes = zstd.compressDirectByteBuffer(
                zstdPayload, 0, zstdPayload.capacity(), memory, memory.position(), RUN_BYTES);
    }

    @TearDown(Level.Trial)
    public void printRatios() {
        System.out.printf(
                "%n%s: a run of %d bytes becomes %d (encoding %d); LZ4 alone %d, zstd alone %d%n",
                content, RUN_BYTES, payload.limit(), encoding, lz4Bytes, zstdBytes);
    }

    /** The yardstick: into a buffer that stays in the cache. */
    @Benchmark
    public ByteBuffer copy() {
        nextRun();
        return into.clear().put(0, memory, memory.position(), RUN_BYTES);
    }

    /** From memory to memory. */
    @Benchmark
    public ByteBuffer copyToMemory() {
        nextRun();
        return farAway.put(memory.position(), memory, memory.position(), RUN_BYTES);
    }

    /** As the streamer does it: payload and its checksum. */
    @Benchmark
    public int encodeAndChecksum() {
        nextRun();
        return encode() + RunCodec.crc32c(into);
    }

    /** As a restore does it; deltas are applied to a run that is there. */
    @Benchmark
    public ByteBuffer checksumAndDecode() {
        payload.rewind();
        int crc = RunCodec.crc32c(payload);
        into.clear();
        codec.decode(encoding, payload, RunCodec.MAX_RUN_PAGES, into);
        return crc == 0 ? payload : into;
    }

    @Benchmark
    public int lz4Compress() {
        nextRun();
        return lz4.compress(memory, memory.position(), RUN_BYTES, into.clear(), 0, into.capacity());
    }

    @Benchmark
    public int lz4Decompress() {
        return lz4Decompressor.decompress(lz4Payload, 0, lz4Bytes, into.clear(), 0, RUN_BYTES);
    }

    @Benchmark
    public int zstdCompress() {
        nextRun();
        return zstd.compressDirectByteBuffer(into.clear(), 0, into.capacity(), memory, memory.position(), RUN_BYTES);
    }

    @Benchmark
    public int zstdDecompress() {
        return zstdDecompressor.decompressDirectByteBuffer(into.clear(), 0, RUN_BYTES, zstdPayload, 0, zstdBytes);
    }

    /** Leaves the payload in {@link #into}. */
    private byte encode() {
        into.clear();
        byte used = RunCodec.DELTA;
        if (sparse) {
            int run = memory.position();
            for (int page = run; page < run + RUN_BYTES; page += RunCodec.PAGE_BYTES) {
                if (!xorDelta.encode(memory.position(page), kept.clear().position(page), into)) {
                    throw new IllegalStateException("the changes are not sparse");
                }
            }
            memory.position(run);
        } else {
            used = codec.encode(memory, into);
        }
        into.flip();
        return used;
    }

    private void nextRun() {
        next = (next + 1) % RUNS;
        memory.clear().position(next * RUN_BYTES).limit((next + 1) * RUN_BYTES);
    }
}
