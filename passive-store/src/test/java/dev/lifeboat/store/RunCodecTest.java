// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
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
    void hostilePayloadsAreRefusedAndNeverWriteOutsideTheirPages() {
        long seed = 20261;
        Random random = new Random(seed);
        ByteBuffer good = ByteBuffer.allocateDirect(2 * RunCodec.MAX_RUN_BYTES);
        codec.encode(text(4), good);
        good.flip();
        int refused = 0;
        for (int i = 0; i < 20_000; i++) {
            ByteBuffer bad = ByteBuffer.allocateDirect(good.remaining());
            bad.put(good.duplicate()).flip();
            for (int flips = 1 + random.nextInt(8); flips > 0; flips--) {
                bad.put(random.nextInt(bad.limit()), (byte) random.nextInt());
            }
            bad.limit(1 + random.nextInt(bad.limit()));
            decoded.clear();
            decoded.put(4 * PAGE, (byte) 0x5a);
            try {
                codec.decode(RunCodec.LZ4, bad, 4, decoded);
            } catch (StoreException e) {
                assertThat(e).hasMessageContaining("damaged run");
                refused++;
            }
            assertThat(decoded.get(4 * PAGE)).as("seed %d, try %d", seed, i).isEqualTo((byte) 0x5a);
        }
        assertThat(refused).isGreaterThan(10_000);
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
        codec.encode(text(1), into);
        assertThatThrownBy(() -> codec.decode(RunCodec.LZ4, into.flip(), 2, decoded))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("decodes to 4096 bytes");
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
        // 6,000 runs; what remains is the measuring call itself.
        assertThat(allocated).isLessThan(6_000);
    }

    private void encodeAndDecode(ByteBuffer zero, ByteBuffer text, ByteBuffer random, int times) {
        for (int i = 0; i < times; i++) {
            roundTrip(zero);
            roundTrip(text);
            roundTrip(random);
        }
    }

    private byte roundTrip(ByteBuffer pages) {
        into.clear();
        byte encoding = codec.encode(pages, into);
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
        assertThat(roundTrip(pages)).isEqualTo(expected);
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
