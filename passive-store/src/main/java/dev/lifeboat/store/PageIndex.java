// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Arrays;

/**
 * Where the newest version of each page of one address space is: 8 bytes per page, and 8 more once the space has a
 * delta. Built by one thread, then only read, by any.
 *
 * <p>A place is a segment's number in the manifest, the run in it, and the page in the run.
 */
final class PageIndex {
    static final long NONE = -1;
    private static final int PAGE_BITS = 4;
    private static final int SEGMENT_SHIFT = 32;

    private final int space;
    private final long[] full;
    /** Against the full version that stands before it; empty while the space has none. */
    private long[] delta = {};

    PageIndex(int space, long pages) {
        this.space = space;
        full = new long[(int) pages];
        Arrays.fill(full, NONE);
    }

    /** Adds the runs of a segment, which comes after all that were added before. */
    void add(int segment, SegmentIndex index) {
        for (int run = 0; run < index.runs(); run++) {
            if (index.space(run) == space) {
                add(place(segment, run, 0), (int) index.firstPage(run), index.pageCount(run), index.encoding(run));
            }
        }
    }

    private void add(long place, int firstPage, int pageCount, byte encoding) {
        boolean isDelta = encoding == RunCodec.DELTA;
        if (isDelta && delta.length == 0) {
            delta = new long[full.length];
            Arrays.fill(delta, NONE);
        }
        long[] places = isDelta ? delta : full;
        for (int i = 0; i < pageCount; i++) {
            places[firstPage + i] = place + i;
        }
        if (!isDelta && delta.length > 0) {
            Arrays.fill(delta, firstPage, firstPage + pageCount, NONE);
        }
    }

    int space() {
        return space;
    }

    int pages() {
        return full.length;
    }

    /** Place of the page's newest full version, or {@link #NONE}. */
    long full(int page) {
        return full[page];
    }

    /** Place of the delta against it, or {@link #NONE}. */
    long delta(int page) {
        return delta.length == 0 ? NONE : delta[page];
    }

    /** What is kept on the heap. */
    long heapBytes() {
        return (long) Long.BYTES * (full.length + delta.length);
    }

    static long place(int segment, int run, int pageOfRun) {
        return (long) segment << SEGMENT_SHIFT | (long) run << PAGE_BITS | pageOfRun;
    }

    static int segment(long place) {
        return (int) (place >>> SEGMENT_SHIFT);
    }

    static int run(long place) {
        return (int) place >>> PAGE_BITS;
    }

    static int pageOfRun(long place) {
        return (int) place & (1 << PAGE_BITS) - 1;
    }

    /** Whether both are pages of one run. */
    static boolean sameRun(long place, long other) {
        return place >>> PAGE_BITS == other >>> PAGE_BITS;
    }
}
