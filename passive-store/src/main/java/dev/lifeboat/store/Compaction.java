// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.LivePages.Segment;
import dev.lifeboat.store.RunReader.Range;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;

/**
 * Copies what is alive in some neighbouring segments to new ones, in the same order, on {@code store-compact-*}. Versions
 * of pages are copied, never folded: a delta stays a delta against the same full version. What is old enough to come here
 * is cold, so full versions are compressed harder on the way.
 */
final class Compaction implements Callable<Compaction.Result> {
    private final ObjectStore store;
    private final SegmentObjects objects;
    private final VmShape shape;
    private final StoreSettings settings;
    private final LivePages live;
    private final List<Segment> window;
    private final IntFunction<String> keys;

    private final RunCodec codec = new RunCodec();
    private ByteBuffer payloads = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer encoded = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final List<SegmentIndex> copies = new ArrayList<>();
    private final List<String> written = new ArrayList<>();
    private SegmentBuilder builder;
    private volatile boolean stopped;

    /** @param copies in the place of {@code window}, in this order; empty when nothing of it was alive any more */
    record Result(List<Segment> window, List<SegmentIndex> copies) {}

    /** @param keys makes the names of new segments from their numbers */
    Compaction(
            ObjectStore store,
            SegmentObjects objects,
            VmShape shape,
            StoreSettings settings,
            LivePages live,
            List<Segment> window,
            IntFunction<String> keys) {
        this.store = store;
        this.objects = objects;
        this.shape = shape;
        this.settings = settings;
        this.live = live;
        this.window = window;
        this.keys = keys;
    }

    /** It ends soon, with an exception; any thread. */
    void stop() {
        stopped = true;
    }

    List<Segment> window() {
        return window;
    }

    @Override
    public Result call() {
        builder = new SegmentBuilder(settings.minSegmentBytes(), settings.maxSegmentBytes());
        boolean whole = false;
        try {
            for (Segment segment : window) {
                copy(segment);
            }
            endSegment();
            whole = true;
            return new Result(window, List.copyOf(copies));
        } finally {
            builder.release();
            if (!whole) {
                written.forEach(store::delete);
            }
        }
    }

    private void copy(Segment segment) {
        SegmentIndex index = SegmentIndex.read(objects, segment.ref, shape);
        RangePlan plan = new RangePlan(segment.number, index);
        for (int run = 0; run < index.runs(); run++) {
            int alive = alive(segment, index, run);
            if (alive != 0) {
                plan.add(run, alive);
            }
        }
        for (Range range : plan.ranges()) {
            if (stopped) {
                throw new StoreException("the compaction was stopped");
            }
            payloads = RunReader.roomFor(range, payloads);
            objects.read(segment.ref, range.from(), range.to() - range.from(), payloads);
            for (int i = 0; i < range.runs().length; i++) {
                int run = range.runs()[i];
                int at = index.payloadOffset(run) - range.from();
                payloads.limit(at + index.payloadBytes(run)).position(at);
                copy(index, run, range.wanted()[i]);
            }
        }
    }

    private int alive(Segment segment, SegmentIndex index, int run) {
        int alive = 0;
        boolean isDelta = index.encoding(run) == RunCodec.DELTA;
        for (int i = 0; i < index.pageCount(run); i++) {
            int page = (int) index.firstPage(run) + i;
            alive |= live.isLive(segment.number, index.space(run), page, isDelta) ? 1 << i : 0;
        }
        return alive;
    }

    private void copy(SegmentIndex index, int run, int alive) {
        RunReader.check(index, run, payloads);
        byte encoding = index.encoding(run);
        int pageCount = index.pageCount(run);
        boolean small = encoding == RunCodec.ZERO || encoding == RunCodec.DELTA;
        if (small || encoding == RunCodec.ZSTD && alive == (1 << pageCount) - 1) {
            append(index.space(run), index.firstPage(run), pageCount, encoding, payloads, index.crc32c(run));
            return;
        }
        pages.clear();
        RunReader.decode(codec, index, run, payloads, pages);
        int start = 0;
        while (start < pageCount) {
            int end = start;
            while (end < pageCount && (alive & 1 << end) != 0) {
                end++;
            }
            if (end > start) {
                encode(index.space(run), index.firstPage(run) + start, start, end);
            }
            start = end + 1;
        }
    }

    private void encode(int space, long firstPage, int start, int end) {
        pages.limit(end * RunCodec.PAGE_BYTES).position(start * RunCodec.PAGE_BYTES);
        byte encoding = codec.encode(pages, encoded.clear(), RunCodec.Effort.SMALL);
        encoded.flip();
        append(space, firstPage, end - start, encoding, encoded, RunCodec.crc32c(encoded));
    }

    private void append(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c) {
        if (!builder.fits(payload.remaining(), settings.maxSegmentBytes())) {
            endSegment();
        }
        builder.append(space, firstPage, pageCount, encoding, payload, crc32c);
    }

    private void endSegment() {
        if (builder.isEmpty()) {
            return;
        }
        String key = keys.apply(written.size());
        ByteBuffer content = builder.seal();
        written.add(key);
        objects.put(key, content);
        SegmentRef ref = new SegmentRef(key, content.limit(), builder.indexCrc32c(), builder.runs());
        // Read back: nothing takes the place of what can be read before it can be read itself.
        copies.add(SegmentIndex.read(objects, ref, shape));
        builder.reset();
    }
}
