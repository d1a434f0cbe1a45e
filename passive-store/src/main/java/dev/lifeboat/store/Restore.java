// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads one epoch. The calling thread walks the segments from the newest to the oldest and gives each page to the
 * first run that has it, so the index of pages is one bit per page; {@code store-read-*} threads read ranges, check,
 * decode and deliver. Indexes and ranges in flight are bounded.
 */
final class Restore {
    /** Ranges this close are read as one: less than what a request costs. */
    private static final int MAX_GAP_BYTES = 64 * 1024;

    private static final int MAX_RANGE_BYTES = 4 << 20;
    private static final int AHEAD = 8;

    private final ObjectStore store;
    private final StoreSettings settings;
    private final EpochManifest manifest;
    private final int space;
    private final boolean hasBase;
    private final PageSink sink;
    private final BitSet taken = new BitSet();
    private final AtomicLong deliveredPages = new AtomicLong();
    private final AtomicLong readBytes = new AtomicLong();
    private final ThreadLocal<Reader> readers = ThreadLocal.withInitial(Reader::new);

    Restore(ObjectStore store, StoreSettings settings, EpochManifest manifest, int space, PageSink sink) {
        if (space < 0 || space >= manifest.shape().spaces()) {
            throw new StoreException(
                    "epoch " + manifest.epoch() + " of VM " + manifest.vmId() + " has no " + VmShape.name(space));
        }
        this.space = space;
        hasBase = manifest.shape().hasBase(space);
        this.store = store;
        this.settings = settings;
        this.manifest = manifest;
        this.sink = sink;
    }

    VmStore.RestoreStats run() {
        long startNs = System.nanoTime();
        ExecutorService threads = StoreThreads.pool("store-read-" + manifest.vmId(), settings.readThreads());
        try {
            Deque<Future<SegmentIndex>> indexes = new ArrayDeque<>();
            Deque<Future<?>> ranges = new ArrayDeque<>();
            int next = manifest.segments().size() - 1;
            while (next >= 0 || !indexes.isEmpty()) {
                while (next >= 0 && indexes.size() < AHEAD) {
                    SegmentRef ref = manifest.segments().get(next--);
                    indexes.add(threads.submit(() -> SegmentIndex.read(store, ref, manifest.shape())));
                }
                for (Range range : plan(await(indexes.remove()))) {
                    if (ranges.size() == AHEAD) {
                        await(ranges.remove());
                    }
                    ranges.add(threads.submit(() -> readers.get().read(range)));
                }
            }
            while (!ranges.isEmpty()) {
                await(ranges.remove());
            }
        } finally {
            stop(threads);
        }
        return new VmStore.RestoreStats(deliveredPages.get(), readBytes.get(), System.nanoTime() - startNs);
    }

    /** Nothing may call the sink after this method: the caller may unmap its memory next. */
    private void stop(ExecutorService threads) {
        threads.shutdownNow();
        try {
            if (!threads.awaitTermination(settings.waitLimitMs(), TimeUnit.MILLISECONDS)) {
                throw new StoreException("reads from " + store.describe() + " do not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private <T> T await(Future<T> future) {
        try {
            return future.get(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof StoreException known) {
                throw known;
            }
            throw new StoreException(
                    "cannot restore epoch " + manifest.epoch() + " of VM " + manifest.vmId() + ": " + e.getCause(),
                    e.getCause());
        } catch (TimeoutException e) {
            throw new StoreException(
                    "reading from " + store.describe() + " takes longer than " + settings.waitLimitMs() + " ms", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while restoring VM " + manifest.vmId(), e);
        }
    }

    /** Neighbouring runs of one segment with the pages of each that are to be delivered (a bit per page). */
    private record Range(SegmentIndex index, int[] runs, short[] wanted, int count, int from, int to) {}

    private List<Range> plan(SegmentIndex index) {
        short[] wanted = new short[index.runs()];
        // Backwards: within a segment, too, the later run is the newer one.
        for (int run = index.runs() - 1; run >= 0; run--) {
            wanted[run] = index.space(run) == space ? take(index, run) : 0;
        }
        List<Range> ranges = new ArrayList<>();
        int[] runs = new int[index.runs()];
        short[] masks = new short[index.runs()];
        int count = 0;
        int from = 0;
        int to = 0;
        for (int run = 0; run < index.runs(); run++) {
            if (wanted[run] == 0 || index.encoding(run) == RunCodec.ZERO && !hasBase) {
                continue;
            }
            int start = index.payloadOffset(run);
            int end = start + index.payloadBytes(run);
            if (count > 0 && (start < to || start - to > MAX_GAP_BYTES || end - from > MAX_RANGE_BYTES)) {
                ranges.add(new Range(index, Arrays.copyOf(runs, count), Arrays.copyOf(masks, count), count, from, to));
                count = 0;
            }
            if (count == 0) {
                from = start;
            }
            runs[count] = run;
            masks[count++] = wanted[run];
            to = end;
        }
        if (count > 0) {
            ranges.add(new Range(index, runs, masks, count, from, to));
        }
        return ranges;
    }

    private short take(SegmentIndex index, int run) {
        int first = (int) index.firstPage(run);
        int mask = 0;
        for (int i = 0; i < index.pageCount(run); i++) {
            if (!taken.get(first + i)) {
                taken.set(first + i);
                mask |= 1 << i;
            }
        }
        return (short) mask;
    }

    /** One thread's buffers. */
    private final class Reader {
        private final RunCodec codec = new RunCodec();
        private final ByteBuffer payloads = ByteBuffer.allocateDirect(MAX_RANGE_BYTES);
        private final ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);

        void read(Range range) {
            SegmentIndex index = range.index();
            payloads.clear();
            if (range.to() > range.from()) {
                store.read(index.ref().key(), range.from(), range.to() - range.from(), payloads);
            }
            readBytes.addAndGet(range.to() - range.from());
            for (int i = 0; i < range.count(); i++) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new StoreException("the restore was stopped");
                }
                int run = range.runs()[i];
                int at = index.payloadOffset(run) - range.from();
                payloads.limit(at + index.payloadBytes(run)).position(at);
                decode(index, run);
                deliver(index.firstPage(run), index.pageCount(run), range.wanted()[i]);
            }
        }

        private void decode(SegmentIndex index, int run) {
            if (RunCodec.crc32c(payloads) != index.crc32c(run)) {
                throw new DamagedObjectException(
                        "damaged segment " + index.ref().key() + ": run " + run + " (page " + index.firstPage(run)
                                + ") does not fit its checksum");
            }
            pages.clear();
            try {
                codec.decode(index.encoding(run), payloads, index.pageCount(run), pages);
            } catch (StoreException e) {
                throw new DamagedObjectException(
                        "damaged segment " + index.ref().key() + ": run " + run + ": " + e.getMessage(), e);
            }
        }

        /** Delivers stretches of wanted pages; of those of zeros only what hides a base. */
        private void deliver(long firstPage, int pageCount, short wanted) {
            int start = 0;
            while (start < pageCount) {
                if (!isWanted(start, wanted)) {
                    start++;
                    continue;
                }
                int end = start + 1;
                while (end < pageCount && isWanted(end, wanted)) {
                    end++;
                }
                // A slice begins at address 0 of itself, which sinks that use bare addresses rely on.
                ByteBuffer content = pages.slice(start * RunCodec.PAGE_BYTES, (end - start) * RunCodec.PAGE_BYTES);
                sink.accept(firstPage + start, end - start, content);
                deliveredPages.addAndGet(end - start);
                start = end;
            }
        }

        private boolean isWanted(int page, short wanted) {
            if ((wanted & 1 << page) == 0 || hasBase) {
                return (wanted & 1 << page) != 0;
            }
            pages.limit((page + 1) * RunCodec.PAGE_BYTES).position(page * RunCodec.PAGE_BYTES);
            boolean zero = RunCodec.isZero(pages);
            pages.clear();
            return !zero;
        }
    }
}
