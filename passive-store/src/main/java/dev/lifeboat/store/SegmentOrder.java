// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A list of segments as what differs from a checkpoint's (docs/store-format.md, "Checkpoints").
 *
 * @param order pairs: from which place of the checkpoint's list, or {@link #OWN}; and how many
 * @param own segments that the checkpoint does not have
 */
record SegmentOrder(int[] order, List<SegmentRef> own) {
    static final int OWN = -1;
    /** A pair has about 6 bytes in CBOR, a segment about 100. */
    private static final int PAIRS_PER_SEGMENT = 16;

    static SegmentOrder of(List<SegmentRef> checkpoint, List<SegmentRef> segments) {
        Map<SegmentRef, Integer> places = new HashMap<>();
        for (int place = 0; place < checkpoint.size(); place++) {
            places.put(checkpoint.get(place), place);
        }
        List<SegmentRef> own = new ArrayList<>();
        int[] order = new int[2 * segments.size()];
        int end = 0;
        for (SegmentRef segment : segments) {
            int from = places.getOrDefault(segment, OWN);
            if (from == OWN) {
                own.add(segment);
            }
            if (end > 0 && from == following(order[end - 2], order[end - 1])) {
                order[end - 1]++;
            } else {
                order[end++] = from;
                order[end++] = 1;
            }
        }
        return new SegmentOrder(Arrays.copyOf(order, end), own);
    }

    /** Where a pair goes on. */
    private static int following(int from, int count) {
        return from == OWN ? OWN : from + count;
    }

    /** The list again; throws {@link IllegalArgumentException} when this says nothing about such a checkpoint. */
    List<SegmentRef> apply(List<SegmentRef> checkpoint) {
        if (order.length % 2 != 0) {
            throw new IllegalArgumentException(order.length + " numbers are no pairs");
        }
        List<SegmentRef> segments = new ArrayList<>();
        int nextOwn = 0;
        for (int i = 0; i < order.length; i += 2) {
            int from = order[i];
            int count = order[i + 1];
            List<SegmentRef> source = from == OWN ? own : checkpoint;
            int start = from == OWN ? nextOwn : from;
            if (start < 0 || count < 1 || count > source.size() - start) {
                throw new IllegalArgumentException(count + " segments from " + from + " on, of " + source.size());
            }
            segments.addAll(source.subList(start, start + count));
            nextOwn += from == OWN ? count : 0;
        }
        if (nextOwn != own.size()) {
            throw new IllegalArgumentException("only " + nextOwn + " of " + own.size() + " segments have a place");
        }
        return segments;
    }

    /** How long it is, in segments that would be written out. */
    int length() {
        return own.size() + order.length / 2 / PAIRS_PER_SEGMENT;
    }
}
