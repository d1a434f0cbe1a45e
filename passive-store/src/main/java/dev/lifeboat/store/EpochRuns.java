// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Arrays;

/** The runs of the epoch being built, for the fold after its commit: 8 bytes per run, reused by later epochs. */
final class EpochRuns {
    private static final int COUNT_BITS = 5;
    private static final int DELTA_BIT = 1 << COUNT_BITS;
    private static final int SPACE_SHIFT = COUNT_BITS + 1;
    private static final int SPACE_BITS = 8;

    /** First page, space, whether it is a delta, and page count; a negative number ends a segment. */
    private long[] runs = new long[1024];

    private int size;

    void add(int space, long firstPage, int pageCount, boolean isDelta) {
        push((firstPage << SPACE_BITS | space) << SPACE_SHIFT | (isDelta ? DELTA_BIT : 0) | pageCount);
    }

    void endSegment() {
        push(-1);
    }

    void clear() {
        size = 0;
    }

    /** Folds everything into {@code pages}; {@code segments} are in the order of their ends. */
    void foldInto(LivePages pages, Iterable<EpochManifest.SegmentRef> segments) {
        var next = segments.iterator();
        int segment = -1;
        for (int i = 0; i < size; i++) {
            if (runs[i] == -1) {
                segment = -1;
                continue;
            }
            if (segment == -1) {
                segment = pages.add(next.next());
            }
            int space = (int) (runs[i] >> SPACE_SHIFT) & (1 << SPACE_BITS) - 1;
            long firstPage = runs[i] >> SPACE_SHIFT + SPACE_BITS;
            int pageCount = (int) runs[i] & DELTA_BIT - 1;
            pages.replace(segment, space, firstPage, pageCount, (runs[i] & DELTA_BIT) != 0);
        }
    }

    private void push(long run) {
        if (size == runs.length) {
            runs = Arrays.copyOf(runs, 2 * size);
        }
        runs[size++] = run;
    }
}
