// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.RunReader.Range;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Joins runs of one segment, given in the order of their bytes, to ranges that are worth a request each. */
final class RangePlan {
    private final int segment;
    private final SegmentIndex index;
    private final List<Range> ranges = new ArrayList<>();
    private int[] runs = new int[64];
    private int[] wanted = new int[64];
    private int count;
    private int from;
    private int to;

    RangePlan(int segment, SegmentIndex index) {
        this.segment = segment;
        this.index = index;
    }

    void add(int run, int wantedPages) {
        int start = index.payloadOffset(run);
        int end = start + index.payloadBytes(run);
        boolean apart = start < to || start - to > RunReader.MAX_GAP_BYTES || end - from > RunReader.MAX_RANGE_BYTES;
        if (count > 0 && apart) {
            endRange();
        }
        if (count == 0) {
            from = start;
        }
        if (count == runs.length) {
            runs = Arrays.copyOf(runs, 2 * count);
            wanted = Arrays.copyOf(wanted, 2 * count);
        }
        runs[count] = run;
        wanted[count++] = wantedPages;
        to = end;
    }

    List<Range> ranges() {
        if (count > 0) {
            endRange();
        }
        return ranges;
    }

    private void endRange() {
        ranges.add(new Range(segment, index, Arrays.copyOf(runs, count), Arrays.copyOf(wanted, count), from, to));
        count = 0;
    }
}
