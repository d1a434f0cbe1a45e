// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.lifeboat.store.RunCodec.Effort;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RunCodecTest {
    private static final int PAGE = RunCodec.PAGE_BYTES;
    private final RunCodec codec = new RunCodec();
    private final ByteBuffer into = ByteBuffer.allocateDirect(2 * RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer decoded = ByteBuffer.allocateDirect(2 * RunCodec.MAX_RUN_BYTES);

    @Test
    void zeroPagesHaveNoPayload() {
        assertThat(codec.encode(ByteBuffer.allocateDirect(16 * PAGE), into)).isEqualTo(RunCodec.ZERO);
        assertThat(into.position()).isZero();
    }

    @Test
    void aSingleByteThatIsNotZeroIsSeenWhereverItIs() {
        for (int at : new int[] {0, 7, 8, PAGE - 1, PAGE, 2 * PAGE + 17, 3 * PAGE - 1}) {
            ByteBuffer pages = ByteBuffer.allocateDirect(3 * PAGE);
            pages.put(at, (byte) 1);
            assertThat(RunCodec.isZero(pages)).as("byte %d", at).isFalse();
            assertRoundTrip(pages, RunCodec.LZ4);
        }
    }

    @Test
    void textIsCompressedAndRandomBytesAreNot() {
        assertRoundTrip(text(16), RunCodec.LZ4);
        assertRoundTrip(random(16, 1), RunCodec.PLAIN);
        assertRoundTrip(random(1, 2), RunCodec.PLAIN);
        assertRoundTrip(text(1), RunCodec.LZ4);
    }

    @Test
    void compressionThatSavesLessThanATenthIsNotUsed() {
        ByteBuffer pages = random(16, 3);
        for (int i = 0; i < 16 * PAGE / 20; i++) {
            pages.put(i + 8, (byte) 0);
        }
        assertRoundTrip(pages, RunCodec.PLAIN);
    }

    @Test
    void encodesFromAndIntoTheMiddleOfABuffer() {
        ByteBuffer pages = text(3);
        pages.position(PAGE).limit(2 * PAGE);
        into.position(100);
        byte encoding = codec.encode(pages, into);
        assertThat(pages.position()).isEqualTo(PAGE);
        assertThat(pages.limit()).isEqualTo(2 * PAGE);
        ByteBuffer payload = into.duplicate().flip().position(100);
        decoded.position(PAGE);
        codec.decode(encoding, payload, 1, decoded);
        assertThat(payload.hasRemaining()).isFalse();
        assertThat(decoded.flip().position(PAGE)).isEqualTo(pages);
    }

    @Test
    void whenBytesMatterMoreThanTimeZstdIsUsed() {
        for (int pages : new int[] {1, 5, 16}) {
            ByteBuffer text = text(pages);
            assertThat(roundTrip(text, Effort.FAST)).isEqualTo(RunCodec.LZ4);
            int fastBytes = into.limit();
            assertThat(roundTrip(text, Effort.SMALL)).isEqualTo(RunCodec.ZSTD);
            assertThat(into.limit()).isLessThan(fastBytes);
            assertThat(decoded).isEqualTo(text);
        }
        assertThat(roundTrip(random(16, 6), Effort.SMALL)).isEqualTo(RunCodec.PLAIN);
        assertThat(roundTrip(ByteBuffer.allocateDirect(PAGE), Effort.SMALL)).isEqualTo(RunCodec.ZERO);
    }

    @Test
    void aRunThatIsEncodedInPlaceHasTheSamePayload() {
        for (Effort effort : Effort.values()) {
            for (ByteBuffer pages : new ByteBuffer[] {text(3), random(2, 7), ByteBuffer.allocateDirect(2 * PAGE)}) {
                into.clear();
                byte encoding = codec.encode(pages, into, effort);
                ByteBuffer run = ByteBuffer.allocateDirect(8 * PAGE);
                run.position(PAGE).put(pages.duplicate()).limit(run.position()).position(PAGE);
                assertThat(codec.encodeInPlace(run, effort)).isEqualTo(encoding);
                assertThat(run.limit(run.position()).position(PAGE)).isEqualTo(into.flip());
            }
        }
    }

    @Test
    void truncatedPayloadsAreRefused() {
        for (Sample sample : samples()) {
            for (int length = 0; length < sample.payload.limit(); length++) {
                ByteBuffer cut = sample.payload.duplicate().limit(length);
                assertThatThrownBy(() -> codec.decode(sample.encoding, cut, 4, decoded.clear()))
                        .as("encoding %d cut to %d bytes", sample.encoding, length)
                        .isInstanceOf(StoreException.class);
            }
        }
    }

    @Test
    void hostilePayloadsAreRefusedAndNeverWriteOutsideTheirPages() {
        long seed = 20261;
        Random random = new Random(seed);
        for (Sample sample : samples()) {
            int refused = 0;
            ByteBuffer bad = ByteBuffer.allocateDirect(sample.payload.limit());
            for (int i = 0; i < 20_000; i++) {
                bad.clear();
                bad.put(sample.payload.duplicate()).flip();
                if (i % 4 == 0) {
                    byte[] noise = new byte[bad.limit()];
                    random.nextBytes(noise);
                    bad.put(0, noise);
                }
                for (int flips = 1 + random.nextInt(8); flips > 0; flips--) {
                    bad.put(random.nextInt(bad.limit()), (byte) random.nextInt());
                }
                if (i % 2 == 0) {
                    bad.limit(1 + random.nextInt(bad.limit()));
                }
                decoded.clear().position(PAGE);
                guard(PAGE - 64);
                guard(5 * PAGE);
                try {
                    codec.decode(sample.encoding, bad, 4, decoded);
                } catch (StoreException e) {
                    assertThat(e).hasMessageContaining("damaged run");
                    refused++;
                }
                assertThat(isGuard(PAGE - 64) && isGuard(5 * PAGE))
                        .as("seed %d, encoding %d, try %d", seed, sample.encoding, i)
                        .isTrue();
            }
            // Flipped bits of literals are for the checksum to find.
            assertThat(refused).as("encoding %d", sample.encoding).isGreaterThan(8_000);
        }
    }

    private void guard(int at) {
        for (int i = 0; i < 64; i++) {
            decoded.put(at + i, (byte) 0x5a);
        }
    }

    private boolean isGuard(int at) {
        for (int i = 0; i < 64; i++) {
            if (decoded.get(at + i) != 0x5a) {
                return false;
            }
        }
        return true;
    }

    private record Sample(byte encoding, ByteBuffer payload) {}

    /** Four pages in every encoding that is not a plain copy. */
    private List<Sample> samples() {
        List<Sample> samples = new ArrayList<>();
        for (Effort effort : Effort.values()) {
            ByteBuffer payload = ByteBuffer.allocateDirect(4 * PAGE);
            samples.add(new Sample(codec.encode(text(4), payload, effort), payload.flip()));
        }
        ByteBuffer delta = ByteBuffer.allocateDirect(4 * PAGE);
        ByteBuffer now = random(4, 8);
        ByteBuffer base = random(4, 8);
        for (int page = 0; page < 4; page++) {
            for (int write = 0; write < 40; write++) {
                now.put(page * PAGE + 97 * write, (byte) write);
            }
            assertThat(new XorDelta().encode(now.position(page * PAGE), base.position(page * PAGE), delta))
                    .isTrue();
        }
        samples.add(new Sample(RunCodec.DELTA, delta.flip()));
        assertThat(samples).extracting(Sample::encoding).containsExactly(RunCodec.LZ4, RunCodec.ZSTD, RunCodec.DELTA);
        return samples;
    }

    @Test
    void lengthsThatDoNotFitTheEncodingAreRefused() {
        assertThatThrownBy(() -> codec.decode(RunCodec.ZERO, ByteBuffer.allocateDirect(1), 1, decoded))
                .isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> codec.decode(RunCodec.PLAIN, ByteBuffer.allocateDirect(PAGE - 1), 1, decoded))
                .isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> codec.decode(RunCodec.LZ4, ByteBuffer.allocateDirect(PAGE), 1, decoded))
                .isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> codec.decode((byte) 9, ByteBuffer.allocateDirect(PAGE), 1, decoded))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("encoding 9");
        assertThatThrownBy(() -> codec.decode(RunCodec.ZERO, ByteBuffer.allocateDirect(0), 17, decoded))
                .isInstanceOf(StoreException.class);
        // A valid block of one page offered as two.
        for (Effort effort : Effort.values()) {
            byte encoding = codec.encode(text(1), into.clear(), effort);
            assertThatThrownBy(() -> codec.decode(encoding, into.flip(), 2, decoded))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("decodes to 4096 bytes");
        }
        // One of three offered as two.
        for (Effort effort : Effort.values()) {
            byte encoding = codec.encode(text(3), into.clear(), effort);
            assertThatThrownBy(() -> codec.decode(encoding, into.flip(), 2, decoded))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("damaged run");
        }
    }

    @Test
    void crcIsCastagnolis() {
        ByteBuffer bytes =
                ByteBuffer.allocateDirect(9).put("123456789".getBytes()).flip();
        // The check value of CRC-32C in RFC 3720, appendix B.4, and the CRC catalogue.
        assertThat(RunCodec.crc32c(bytes)).isEqualTo(0xe3069283);
        assertThat(bytes.position()).isZero();
    }

    @Test
    void nothingIsAllocatedPerRun() {
        ByteBuffer zero = ByteBuffer.allocateDirect(16 * PAGE);
        ByteBuffer text = text(16);
        ByteBuffer random = random(16, 4);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();
        encodeAndDecode(zero, text, random, 2_000);
        long before = threads.getThreadAllocatedBytes(thread);
        encodeAndDecode(zero, text, random, 2_000);
        long allocated = threads.getThreadAllocatedBytes(thread) - before;
        // 12,000 runs; what remains is the measuring call itself.
        assertThat(allocated).isLessThan(6_000);
    }

    private void encodeAndDecode(ByteBuffer zero, ByteBuffer text, ByteBuffer random, int times) {
        for (int i = 0; i < times; i++) {
            roundTrip(zero, Effort.FAST);
            roundTrip(text, Effort.FAST);
            roundTrip(random, Effort.FAST);
            roundTrip(zero, Effort.SMALL);
            roundTrip(text, Effort.SMALL);
            roundTrip(random, Effort.SMALL);
        }
    }

    private byte roundTrip(ByteBuffer pages, Effort effort) {
        into.clear();
        byte encoding = codec.encode(pages, into, effort);
        into.flip();
        int crc = RunCodec.crc32c(into);
        decoded.clear();
        codec.decode(encoding, into, pages.remaining() / PAGE, decoded);
        decoded.flip();
        if (encoding == RunCodec.ZERO && crc != 0) {
            throw new AssertionError("the CRC of nothing is zero");
        }
        return encoding;
    }

    private void assertRoundTrip(ByteBuffer pages, byte expected) {
        assertThat(roundTrip(pages, Effort.FAST)).isEqualTo(expected);
        assertThat(decoded).isEqualTo(pages);
    }

    static ByteBuffer text(int pages) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(pages * PAGE);
        Random random = new Random(5);
        while (buffer.hasRemaining()) {
            byte[] word = ("key:" + random.nextInt(1000) + " value=lifeboat ").getBytes();
            buffer.put(word, 0, Math.min(word.length, buffer.remaining()));
        }
        return buffer.flip();
    }

    static ByteBuffer random(int pages, long seed) {
        byte[] bytes = new byte[pages * PAGE];
        new Random(seed).nextBytes(bytes);
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }
}
