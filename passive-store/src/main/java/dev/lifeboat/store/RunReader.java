// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads, checks and decodes runs of one epoch, applies deltas and delivers pages. One thread per instance: it owns
 * buffers, of a fixed size.
 */
final class RunReader {
    /** Ranges this close are read as one: less than what a request costs. */
    static final int MAX_GAP_BYTES = 64 * 1024;

    static final int MAX_RANGE_BYTES = 4 << 20;
    private static final int FIRST_RANGE_BYTES = 64 * 1024;
    /** Deltas stand in the order of their pages, so what comes after one is wanted next. */
    private static final int DELTA_WINDOW_BYTES = 256 * 1024;

    private static final int DELTA_WINDOWS = 8;

    private final SegmentObjects objects;
    private final SegmentIndexes indexes;
    private final RunCodec codec = new RunCodec();
    private ByteBuffer payloads = ByteBuffer.allocateDirect(FIRST_RANGE_BYTES);
    private final ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer deltaPages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final List<Window> windows = new ArrayList<>();
    private int nextWindow;
    private long bytesRead;
    private long pagesDelivered;

    /** A piece of a segment in memory. */
    private static final class Window {
        final ByteBuffer bytes;
        int segment = -1;
        int from;
        int to;

        Window(int lengthBytes) {
            bytes = ByteBuffer.allocateDirect(lengthBytes);
        }

        boolean holds(int wantedSegment, int wantedFrom, int wantedTo) {
            return segment == wantedSegment && from <= wantedFrom && wantedTo <= to;
        }
    }

    RunReader(SegmentObjects objects, SegmentIndexes indexes) {
        this.objects = objects;
        this.indexes = indexes;
    }

    /**
     * Neighbouring runs of one segment, with the pages of each that are to be delivered.
     *
     * @param wanted a bit per page of the run
     * @param from of the segment's bytes
     */
    record Range(int segment, SegmentIndex index, int[] runs, int[] wanted, int from, int to) {}

    /** A cleared buffer that has room for the range: this one, or a larger one. */
    static ByteBuffer roomFor(Range range, ByteBuffer buffer) {
        int neededBytes = range.to() - range.from();
        return neededBytes <= buffer.capacity()
                ? buffer.clear()
                : ByteBuffer.allocateDirect(Math.max(neededBytes, Math.min(2 * buffer.capacity(), MAX_RANGE_BYTES)));
    }

    /** Bytes read since the last call. */
    long takeBytesRead() {
        long taken = bytesRead;
        bytesRead = 0;
        return taken;
    }

    /** Pages delivered since the last call. */
    long takePagesDelivered() {
        long taken = pagesDelivered;
        pagesDelivered = 0;
        return taken;
    }

    /** Reads a range and delivers what is wanted of it. */
    void read(Range range, PageIndex pageIndex, boolean hasBase, PageSink sink) {
        SegmentIndex index = range.index();
        payloads = roomFor(range, payloads);
        objects.read(index.ref(), range.from(), range.to() - range.from(), payloads);
        bytesRead += range.to() - range.from();
        for (int i = 0; i < range.runs().length; i++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new StoreException("the restore was stopped");
            }
            int run = range.runs()[i];
            int at = index.payloadOffset(run) - range.from();
            payloads.limit(at + index.payloadBytes(run)).position(at);
            check(index, run, payloads);
            pages.clear();
            decode(codec, index, run, payloads, pages);
            pages.clear();
            applyDeltas((int) index.firstPage(run), range.wanted()[i], pageIndex);
            deliver(index.firstPage(run), index.pageCount(run), range.wanted()[i], hasBase, sink);
        }
    }

    /** Decodes a run that has been checked; what does not decode is named. */
    static void decode(RunCodec codec, SegmentIndex index, int run, ByteBuffer payload, ByteBuffer pages) {
        try {
            codec.decode(index.encoding(run), payload, index.pageCount(run), pages);
        } catch (StoreException e) {
            throw damaged(index, run, e.getMessage(), e);
        }
    }

    static void check(SegmentIndex index, int run, ByteBuffer payload) {
        if (RunCodec.crc32c(payload) != index.crc32c(run)) {
            throw damaged(index, run, "it does not fit its checksum", null);
        }
    }

    private static DamagedObjectException damaged(SegmentIndex index, int run, String why, Throwable cause) {
        return new DamagedObjectException(
                "damaged segment " + index.ref().key() + ": run " + run + " (" + VmShape.name(index.space(run))
                        + ", page " + index.firstPage(run) + "): " + why,
                cause);
    }

    /** Brings wanted pages, which hold their full versions, up to date. */
    private void applyDeltas(int firstPage, int wanted, PageIndex pageIndex) {
        int left = wanted;
        while (left != 0) {
            int page = Integer.numberOfTrailingZeros(left);
            left &= left - 1;
            long place = pageIndex.delta(firstPage + page);
            if (place == PageIndex.NONE) {
                continue;
            }
            int together = 1 << page;
            for (int more = left; more != 0; more &= more - 1) {
                int other = Integer.numberOfTrailingZeros(more);
                if (PageIndex.sameRun(place, pageIndex.delta(firstPage + other))) {
                    together |= 1 << other;
                }
            }
            left &= ~together;
            applyDelta(place, firstPage, together);
        }
    }

    /**
     * Applies one run of deltas to some of the decoded pages.
     *
     * @param firstPage of the decoded run
     * @param of which of its pages
     */
    private void applyDelta(long place, int firstPage, int of) {
        int segment = PageIndex.segment(place);
        int run = PageIndex.run(place);
        SegmentIndex index = indexes.get(segment);
        ByteBuffer payload = deltaPayload(segment, index, run);
        check(index, run, payload);
        // The run of deltas need not begin where the decoded run does.
        int shift = (int) (firstPage - index.firstPage(run));
        int wanted = 0;
        for (int left = of; left != 0; left &= left - 1) {
            int page = Integer.numberOfTrailingZeros(left);
            copyPage(pages, page, deltaPages, page + shift);
            wanted |= 1 << page + shift;
        }
        try {
            XorDelta.apply(payload, index.pageCount(run), wanted, deltaPages.clear());
        } catch (StoreException e) {
            throw damaged(index, run, e.getMessage(), e);
        }
        for (int left = of; left != 0; left &= left - 1) {
            int page = Integer.numberOfTrailingZeros(left);
            copyPage(deltaPages, page + shift, pages, page);
        }
    }

    private static void copyPage(ByteBuffer from, int fromPage, ByteBuffer into, int intoPage) {
        into.put(intoPage * RunCodec.PAGE_BYTES, from, fromPage * RunCodec.PAGE_BYTES, RunCodec.PAGE_BYTES);
    }

    /** The bytes of a run of deltas, valid until the next call; what comes after it in the segment is read along. */
    private ByteBuffer deltaPayload(int segment, SegmentIndex index, int run) {
        int from = index.payloadOffset(run);
        int to = from + index.payloadBytes(run);
        for (Window window : windows) {
            if (window.holds(segment, from, to)) {
                return window.bytes.limit(to - window.from).position(from - window.from);
            }
        }
        if (windows.size() < DELTA_WINDOWS) {
            windows.add(new Window(DELTA_WINDOW_BYTES));
            nextWindow = windows.size() - 1;
        }
        Window window = windows.get(nextWindow);
        nextWindow = (nextWindow + 1) % DELTA_WINDOWS;
        window.segment = -1;
        window.bytes.clear();
        int readTo = Math.min(from + DELTA_WINDOW_BYTES, index.indexOffset());
        objects.read(index.ref(), from, readTo - from, window.bytes);
        bytesRead += readTo - from;
        window.segment = segment;
        window.from = from;
        window.to = readTo;
        return window.bytes.limit(to - from).position(0);
    }

    /** Delivers stretches of wanted pages; of those of zeros only what hides a base. */
    private void deliver(long firstPage, int pageCount, int wanted, boolean hasBase, PageSink sink) {
        int start = 0;
        while (start < pageCount) {
            if (!isWanted(start, wanted, hasBase)) {
                start++;
                continue;
            }
            int end = start + 1;
            while (end < pageCount && isWanted(end, wanted, hasBase)) {
                end++;
            }
            // A slice begins at address 0 of itself, which sinks that use bare addresses rely on.
            ByteBuffer content = pages.slice(start * RunCodec.PAGE_BYTES, (end - start) * RunCodec.PAGE_BYTES);
            sink.accept(firstPage + start, end - start, content);
            pagesDelivered += end - start;
            start = end;
        }
    }

    private boolean isWanted(int page, int wanted, boolean hasBase) {
        if ((wanted & 1 << page) == 0 || hasBase) {
            return (wanted & 1 << page) != 0;
        }
        pages.limit((page + 1) * RunCodec.PAGE_BYTES).position(page * RunCodec.PAGE_BYTES);
        boolean zero = RunCodec.isZero(pages);
        pages.clear();
        return !zero;
    }
}
