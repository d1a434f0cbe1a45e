// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Which segment holds the newest full version of each page, and the delta against it: the fold of all segments of an
 * epoch, 4 bytes per page and 4 more once a space has deltas, and a count of live versions per segment. A segment
 * without one is needed by no later epoch. Changed by the writer's thread; {@link #isLive} is for the compactor, too.
 */
final class LivePages {
    private static final int NONE = -1;

    /** By space and page. */
    private final int[][] fullOf;
    /** Likewise; empty while the space has no delta. */
    private final int[][] deltaOf;
    /** Segment numbers in fold order; dead ones are taken out by {@link #live}. */
    private List<Integer> order = new ArrayList<>();
    /** Numbers that no page refers to. */
    private final Deque<Integer> free = new ArrayDeque<>();

    /** By segment number. */
    private Segment[] segments = new Segment[64];

    private int numbers;
    /** Blocks of disks that have been written. */
    private long diskPages;

    /** A segment of the fold. */
    static final class Segment {
        final int number;
        final SegmentRef ref;
        /** Versions of pages in it, and those of them that are alive. */
        int pages;

        int livePages;
        /** Its number may not be given to another one: a compaction knows it by that. */
        boolean pinned;

        Segment(int number, SegmentRef ref) {
            this.number = number;
            this.ref = ref;
        }

        /** About: runs of one segment differ in how well they were compressed. */
        long liveBytes() {
            return pages == 0 ? 0 : (long) ((double) ref.lengthBytes() * livePages / pages);
        }
    }

    LivePages(VmShape shape) {
        fullOf = new int[shape.spaces()][];
        deltaOf = new int[shape.spaces()][];
        for (int space = 0; space < shape.spaces(); space++) {
            fullOf[space] = new int[(int) shape.pages(space)];
            Arrays.fill(fullOf[space], NONE);
            deltaOf[space] = new int[0];
        }
    }

    /** Adds a segment that is newer than all others; its pages follow by {@link #replace}. */
    int add(SegmentRef ref) {
        Segment segment = make(ref);
        order.add(segment.number);
        return segment.number;
    }

    private Segment make(SegmentRef ref) {
        int number = free.isEmpty() ? numbers++ : free.pop();
        if (number == segments.length) {
            segments = Arrays.copyOf(segments, 2 * number);
        }
        segments[number] = new Segment(number, ref);
        return segments[number];
    }

    /** A newer version of some pages; a full version also replaces the delta against the former one. */
    void replace(int segment, int space, long firstPage, int pageCount, boolean isDelta) {
        if (isDelta && deltaOf[space].length == 0) {
            deltaOf[space] = new int[fullOf[space].length];
            Arrays.fill(deltaOf[space], NONE);
        }
        segments[segment].pages += pageCount;
        for (int page = (int) firstPage; page < firstPage + pageCount; page++) {
            if (isDelta) {
                set(deltaOf[space], page, segment);
            } else {
                if (space != VmShape.MEMORY && fullOf[space][page] == NONE) {
                    diskPages++;
                }
                set(fullOf[space], page, segment);
                if (deltaOf[space].length > 0) {
                    set(deltaOf[space], page, NONE);
                }
            }
        }
    }

    private void set(int[] segmentOf, int page, int segment) {
        int former = segmentOf[page];
        if (former != segment) {
            segmentOf[page] = segment;
            if (segment != NONE) {
                segments[segment].livePages++;
            }
            if (former != NONE) {
                segments[former].livePages--;
            }
        }
    }

    /** What the VM's objects may take: twice its memory and what was written to its disks. */
    long limitBytes() {
        return 2 * RunCodec.PAGE_BYTES * (fullOf[VmShape.MEMORY].length + diskPages);
    }

    void add(SegmentIndex index) {
        int segment = add(index.ref());
        for (int run = 0; run < index.runs(); run++) {
            replace(segment, index.space(run), index.firstPage(run), index.pageCount(run), isDelta(index, run));
        }
    }

    private static boolean isDelta(SegmentIndex index, int run) {
        return index.encoding(run) == RunCodec.DELTA;
    }

    /** Segments that hold a live version, in fold order. */
    List<Segment> live() {
        List<Segment> live = new ArrayList<>();
        List<Integer> kept = new ArrayList<>();
        for (int number : order) {
            Segment segment = segments[number];
            if (segment.livePages > 0) {
                live.add(segment);
                kept.add(number);
            } else if (segment.pinned) {
                kept.add(number);
            } else {
                free.push(number);
            }
        }
        order = kept;
        return live;
    }

    /** The same as a manifest lists them, with copies in the place of what they were made from. */
    List<SegmentRef> refs(Optional<Compaction.Result> compacted) {
        List<SegmentRef> refs = new ArrayList<>();
        boolean replaced = false;
        for (Segment segment : live()) {
            if (compacted.isEmpty() || !compacted.get().window().contains(segment)) {
                refs.add(segment.ref);
            } else if (!replaced) {
                replaced = true;
                compacted.get().copies().forEach(copy -> refs.add(copy.ref()));
            }
        }
        return refs;
    }

    /**
     * Whether a segment holds the newest version of a page. Any thread may ask about a pinned segment: a version that
     * has died stays dead, so an answer that comes late only keeps something that nobody needs.
     */
    boolean isLive(int segment, int space, int page, boolean isDelta) {
        return (isDelta ? deltaOf : fullOf)[space][page] == segment;
    }

    /** Puts copies of live versions in the place of those that are in some neighbouring, pinned segments. */
    void swap(List<Segment> old, List<SegmentIndex> copies) {
        boolean[] replaced = new boolean[numbers + copies.size()];
        old.forEach(segment -> replaced[segment.number] = true);
        int place = order.indexOf(old.get(0).number);
        for (SegmentIndex index : copies) {
            Segment copy = make(index.ref());
            order.add(place++, copy.number);
            // Of several copied versions of a page, too, the last one counts.
            replaced[copy.number] = true;
            for (int run = 0; run < index.runs(); run++) {
                copy.pages += index.pageCount(run);
                int[] segmentOf = (isDelta(index, run) ? deltaOf : fullOf)[index.space(run)];
                int first = (int) index.firstPage(run);
                for (int page = first; page < first + index.pageCount(run); page++) {
                    if (segmentOf[page] != NONE && replaced[segmentOf[page]]) {
                        set(segmentOf, page, copy.number);
                    }
                }
            }
        }
    }
}
