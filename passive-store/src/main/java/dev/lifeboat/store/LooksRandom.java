// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;

/**
 * Guesses from a few bytes of a run that LZ4 will not make it smaller, at a hundredth of what trying costs. One instance
 * per thread.
 *
 * <p>It counts how many of the 256 byte values occur among {@value #SAMPLE_BYTES} sampled bytes. Of random bytes it is
 * 256 (1 - 1/e) = 162 with a standard deviation of 5; of text, pointers, counters or pages that are partly zero it is
 * well below a hundred. What repeats long random stretches is taken for random; so is what has a sixth of its bytes
 * compressible and the rest random.
 */
final class LooksRandom {
    private static final int SAMPLES = 32;
    private static final int SAMPLE_BYTES = SAMPLES * Long.BYTES;
    /** Three and a half standard deviations below the mean: of random runs one in five thousand is tried in vain. */
    private static final int DISTINCT_VALUES = 144;

    private final long[] seen = new long[4];

    /**
     * Whether compression is not worth trying.
     *
     * @param at where the run begins
     * @param lengthBytes whole pages
     */
    boolean test(ByteBuffer bytes, int at, int lengthBytes) {
        seen[0] = 0;
        seen[1] = 0;
        seen[2] = 0;
        seen[3] = 0;
        int stride = lengthBytes / SAMPLES;
        for (int sample = 0; sample < SAMPLES; sample++) {
            // Not the same column of the lines each time: what lies there may be of one kind.
            int column = sample * 40 % 128;
            long word = bytes.getLong(at + sample * stride + Math.min(column, stride - Long.BYTES));
            for (int i = 0; i < Long.BYTES; i++) {
                seen[(int) (word >>> 6) & 3] |= 1L << word;
                word >>>= 8;
            }
        }
        int distinct =
                Long.bitCount(seen[0]) + Long.bitCount(seen[1]) + Long.bitCount(seen[2]) + Long.bitCount(seen[3]);
        return distinct >= DISTINCT_VALUES;
    }
}
