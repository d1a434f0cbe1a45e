// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class XorDeltaTest {
    private static final int PAGE = RunCodec.PAGE_BYTES;
    private final XorDelta delta = new XorDelta();
    private final ByteBuffer payload = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);

    @Test
    void aPageAndItsDeltaGiveThePageAsItIsNow() {
        long seed = 31;
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            ByteBuffer base = RunCodecTest.random(1, random.nextLong());
            ByteBuffer now = written(base, random.nextInt(80), 1 + random.nextInt(16), random);
            payload.clear();
            if (delta.encode(now, base, payload)) {
                XorDelta.apply(payload.flip(), 1, 1, base);
                assertThat(base).as("seed %d, try %d", seed, i).isEqualTo(now);
                assertThat(payload.hasRemaining()).isFalse();
            }
        }
    }

    @Test
    void theLengthIsWhatTheFormatSays() {
        ByteBuffer base = RunCodecTest.random(1, 1);
        assertThat(encodedBytes(base, base)).as("nothing differs").isEqualTo(8);
        ByteBuffer now = copy(base);
        flip(now, 0);
        flip(now, 7);
        flip(now, 63);
        flip(now, PAGE - 1);
        // The bitmap, two lines, three words.
        assertThat(encodedBytes(now, base)).isEqualTo(8 + 2 + 3 * 8);
        assertThat(payload.get(0)).isEqualTo((byte) 1);
        assertThat(payload.get(7)).isEqualTo((byte) 0x80);
        assertThat(payload.get(8)).as("words 0 and 7 of line 0").isEqualTo((byte) 0x81);
        assertThat(payload.get(9)).as("word 7 of line 63").isEqualTo((byte) 0x80);
        assertThat(payload.get(10)).as("byte 0 of word 0").isEqualTo((byte) 0xff);
        assertThat(payload.get(17)).as("byte 7 of word 0").isEqualTo((byte) 0xff);
        assertThat(payload.get(11)).as("byte 1 of word 0 did not change").isZero();
    }

    @Test
    void aDeltaOfMoreThanHalfAPageIsNotMade() {
        ByteBuffer base = ByteBuffer.allocateDirect(PAGE);
        ByteBuffer now = ByteBuffer.allocateDirect(PAGE);
        int words = 0;
        while (true) {
            flip(now, 8 * words++);
            payload.clear();
            if (!delta.encode(now, base, payload)) {
                break;
            }
            assertThat(payload.position()).isLessThanOrEqualTo(XorDelta.MAX_PAGE_BYTES);
        }
        assertThat(payload.position()).isZero();
        assertThat(8 + (words + 7) / 8 + 8 * words).isGreaterThan(XorDelta.MAX_PAGE_BYTES);
        assertThat(now.position()).isZero();
        assertThat(now.limit()).isEqualTo(PAGE);
    }

    @Test
    void onlyWantedPagesOfARunAreChanged() {
        ByteBuffer base = RunCodecTest.random(3, 2);
        ByteBuffer now = copy(base);
        flip(now, 5);
        flip(now, PAGE + 100);
        flip(now, 3 * PAGE - 1);
        payload.clear();
        for (int page = 0; page < 3; page++) {
            delta.encode(now.position(page * PAGE), base.position(page * PAGE), payload);
        }
        ByteBuffer pages = copy(base);
        XorDelta.apply(payload.flip(), 3, 0b101, pages);
        now.clear();
        assertThat(pages.slice(0, PAGE)).isEqualTo(now.slice(0, PAGE));
        assertThat(pages.slice(PAGE, PAGE)).isEqualTo(base.slice(PAGE, PAGE));
        assertThat(pages.slice(2 * PAGE, PAGE)).isEqualTo(now.slice(2 * PAGE, PAGE));
    }

    @Test
    void aLineWithoutAWordAndBytesAfterTheEndAreRefused() {
        ByteBuffer page = ByteBuffer.allocateDirect(2 * PAGE);
        ByteBuffer emptyLine = ByteBuffer.allocateDirect(9).put(0, (byte) 1);
        assertThatThrownBy(() -> XorDelta.apply(emptyLine, 1, 1, page))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("line without a word");
        ByteBuffer longer = ByteBuffer.allocateDirect(9);
        assertThatThrownBy(() -> XorDelta.apply(longer, 1, 1, page))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("1 bytes after");
        assertThatThrownBy(() -> XorDelta.apply(ByteBuffer.allocateDirect(8), 2, 3, page))
                .isInstanceOf(StoreException.class);
    }

    @Test
    void nothingIsAllocated() {
        ByteBuffer base = RunCodecTest.random(1, 3);
        ByteBuffer now = written(base, 20, 16, new Random(4));
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        encodeAndApply(now, base, 20_000);
        long before = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        encodeAndApply(now, base, 10_000);
        long after = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        assertThat(after - before).isLessThan(5_000);
    }

    private void encodeAndApply(ByteBuffer now, ByteBuffer base, int times) {
        for (int i = 0; i < times; i++) {
            payload.clear();
            delta.encode(now, base, payload);
            // There and back again.
            XorDelta.apply(payload.flip(), 1, 1, base);
            XorDelta.apply(payload.rewind(), 1, 1, base);
        }
    }

    private int encodedBytes(ByteBuffer now, ByteBuffer base) {
        payload.clear();
        assertThat(delta.encode(now, base, payload)).isTrue();
        return payload.position();
    }

    private static ByteBuffer written(ByteBuffer page, int writes, int bytes, Random random) {
        ByteBuffer now = copy(page);
        for (int write = 0; write < writes; write++) {
            int at = random.nextInt(PAGE - bytes + 1);
            for (int i = 0; i < bytes; i++) {
                now.put(at + i, (byte) random.nextInt());
            }
        }
        return now;
    }

    private static ByteBuffer copy(ByteBuffer bytes) {
        return ByteBuffer.allocateDirect(bytes.capacity())
                .put(bytes.duplicate().clear())
                .flip();
    }

    private static void flip(ByteBuffer bytes, int at) {
        bytes.put(at, (byte) ~bytes.get(at));
    }
}
