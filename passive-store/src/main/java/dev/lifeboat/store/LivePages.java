// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Which segment holds the newest version of each page: the fold of all segments of an epoch, 4 bytes per page, and a
 * count of live pages per segment. A segment without live pages is needed by no later epoch. Used by the writer's
 * thread.
 */
final class LivePages {
    private static final int NONE = -1;

    /** By space and page. */
    private final int[][] segmentOfPage;
    /** By segment number; null once it has no live page. */
    private final List<SegmentRef> segments = new ArrayList<>();

    private int[] livePages = new int[64];

    LivePages(VmShape shape) {
        segmentOfPage = new int[shape.spaces()][];
        for (int space = 0; space < shape.spaces(); space++) {
            segmentOfPage[space] = new int[(int) shape.pages(space)];
            Arrays.fill(segmentOfPage[space], NONE);
        }
    }

    /** Adds a segment that is newer than all others; its pages follow by {@link #replace}. */
    int add(SegmentRef ref) {
        int segment = segments.size();
        if (segment == livePages.length) {
            livePages = Arrays.copyOf(livePages, 2 * segment);
        }
        segments.add(ref);
        return segment;
    }

    void replace(int segment, int space, long firstPage, int pageCount) {
        int[] segmentOf = segmentOfPage[space];
        for (int page = (int) firstPage; page < firstPage + pageCount; page++) {
            int former = segmentOf[page];
            if (former != segment) {
                segmentOf[page] = segment;
                livePages[segment]++;
                if (former != NONE && --livePages[former] == 0) {
                    segments.set(former, null);
                }
            }
        }
    }

    void add(SegmentIndex index) {
        int segment = add(index.ref());
        for (int run = 0; run < index.runs(); run++) {
            replace(segment, index.space(run), index.firstPage(run), index.pageCount(run));
        }
    }

    /** Segments that hold a live page, oldest first. */
    List<SegmentRef> live() {
        List<SegmentRef> live = new ArrayList<>();
        for (SegmentRef ref : segments) {
            if (ref != null) {
                live.add(ref);
            }
        }
        return live;
    }
}
