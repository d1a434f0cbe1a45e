// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class LooksRandomTest {
    private static final int PAGE = RunCodec.PAGE_BYTES;
    private final LooksRandom looksRandom = new LooksRandom();

    private boolean test(ByteBuffer pages) {
        return looksRandom.test(pages, 0, pages.limit());
    }

    @Test
    void nearlyAllRandomRunsLookRandom() {
        int random = 0;
        for (int i = 0; i < 4_000; i++) {
            random += test(RunCodecTest.random(1 + i % 16, i)) ? 1 : 0;
        }
        assertThat(random).isGreaterThan(3_980);
    }

    @Test
    void whatCompressesWellDoesNotLookRandom() {
        for (int pages = 1; pages <= 16; pages++) {
            assertThat(test(RunCodecTest.text(pages))).as("text").isFalse();
            ByteBuffer counters = ByteBuffer.allocateDirect(pages * PAGE).order(ByteOrder.LITTLE_ENDIAN);
            ByteBuffer pointers = ByteBuffer.allocateDirect(pages * PAGE).order(ByteOrder.LITTLE_ENDIAN);
            for (int at = 0; at < pages * PAGE; at += 8) {
                counters.putLong(at, at * 0x9e37L);
                pointers.putLong(at, 0x7f3c_0000_0000L + (at * 0x9e3779b97f4a7c15L >>> 40 & ~15));
            }
            assertThat(test(counters)).as("counters").isFalse();
            assertThat(test(pointers)).as("pointers").isFalse();
            ByteBuffer half = RunCodecTest.random(pages, pages);
            for (int i = 0; i < half.limit(); i += 512) {
                half.put(i, new byte[256]);
            }
            assertThat(test(half)).as("half zero").isFalse();
        }
    }
}
