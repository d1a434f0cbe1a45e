// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.RunReader.Range;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads one epoch by its page index. {@link #read} works on the caller's thread; a fill plans on its caller's thread and
 * reads, checks, decodes and delivers on {@code store-read-*}. Ranges in flight are bounded.
 */
final class DefaultEpochReader implements EpochReader {
    private static final Logger LOG = LoggerFactory.getLogger(DefaultEpochReader.class);
    private static final int RANGES_AHEAD = 8;
    /** Pages of the working set that are planned together: enough to find neighbours among them. */
    private static final int WORKING_SET_STEP = 4096;

    private final ObjectStore store;
    private final SegmentObjects objects;
    private final StoreSettings settings;
    private final EpochManifest manifest;
    private final VmShape shape;
    private final SegmentIndexes indexes;
    /** By space; null for one that nobody will read. */
    private final PageIndex[] pageIndexes;

    private final UrgentReads urgent = new UrgentReads();
    private final WorkingSet workingSet;
    private final Deque<RunReader> idleReaders = new ArrayDeque<>();
    private final ReaderLease lease;

    /**
     * Builds the page indexes.
     *
     * @param onlySpace the only address space that will be read, or -1
     * @throws StoreException when the epoch is not whole, or gone
     */
    DefaultEpochReader(
            ObjectStore store,
            SegmentObjects objects,
            StoreSettings settings,
            EpochManifest manifest,
            int onlySpace,
            LongSupplier wallClockMs) {
        this.store = store;
        this.objects = objects;
        this.settings = settings;
        this.manifest = manifest;
        shape = manifest.shape();
        if (onlySpace >= shape.spaces()) {
            throw noSpace(onlySpace);
        }
        indexes = new SegmentIndexes(objects, manifest);
        workingSet = new WorkingSet(shape);
        pageIndexes = new PageIndex[shape.spaces()];
        lease = new ReaderLease(store, manifest, settings.readerLeaseMs(), wallClockMs);
        try {
            for (int space = 0; space < shape.spaces(); space++) {
                if (onlySpace < 0 || onlySpace == space) {
                    pageIndexes[space] = new PageIndex(space, shape.pages(space));
                }
            }
            indexes.visitAll(settings, this::add);
        } catch (RuntimeException | Error e) {
            lease.close();
            throw e;
        }
    }

    private void add(int segment, SegmentIndex index) {
        for (PageIndex pageIndex : pageIndexes) {
            if (pageIndex != null) {
                pageIndex.add(segment, index);
            }
        }
    }

    private StoreException noSpace(int space) {
        return new StoreException(
                "epoch " + manifest.epoch() + " of VM " + manifest.vmId() + " has no " + VmShape.name(space));
    }

    private PageIndex pageIndex(int space) {
        if (space < 0 || space >= pageIndexes.length || pageIndexes[space] == null) {
            throw noSpace(space);
        }
        return pageIndexes[space];
    }

    @Override
    public EpochManifest manifest() {
        return manifest;
    }

    /** Heap of the page indexes. */
    long indexHeapBytes() {
        return Arrays.stream(pageIndexes)
                .mapToLong(index -> index == null ? 0 : index.heapBytes())
                .sum();
    }

    @Override
    public void read(int space, long firstPage, int pageCount, PageSink sink) {
        PageIndex pageIndex = pageIndex(space);
        if (firstPage < 0 || pageCount < 1 || firstPage > pageIndex.pages() - pageCount) {
            throw new IllegalArgumentException(
                    pageCount + " pages from " + firstPage + " on, of " + VmShape.name(space) + " of " + shape);
        }
        workingSet.asked(space, firstPage, pageCount);
        BitSet wanted = new BitSet();
        wanted.set((int) firstPage, (int) firstPage + pageCount);
        RunReader reader = takeReader();
        urgent.enter();
        try {
            for (Range range : plan(pageIndex, wanted)) {
                reader.read(range, pageIndex, shape.hasBase(space), sink);
            }
        } finally {
            urgent.leave();
            reader.takePagesDelivered();
            reader.takeBytesRead();
            giveBack(reader);
        }
    }

    private RunReader takeReader() {
        synchronized (idleReaders) {
            RunReader idle = idleReaders.poll();
            return idle != null ? idle : new RunReader(objects, indexes);
        }
    }

    private void giveBack(RunReader reader) {
        synchronized (idleReaders) {
            if (idleReaders.size() < settings.readThreads()) {
                idleReaders.push(reader);
            }
        }
    }

    @Override
    public VmStore.RestoreStats fill(int space, PageSink sink) {
        PageIndex pageIndex = pageIndex(space);
        long startNs = System.nanoTime();
        try (Fill fill = new Fill(pageIndex, sink)) {
            BitSet left = new BitSet(pageIndex.pages());
            left.set(0, pageIndex.pages());
            fillWorkingSet(fill, left);
            for (int segment = manifest.segments().size() - 1; segment >= 0; segment--) {
                if (fill.liveRuns[segment]) {
                    fill.submit(planSegment(pageIndex, segment, left));
                }
            }
            fill.finish();
            return new VmStore.RestoreStats(fill.pages.get(), fill.bytes.get(), System.nanoTime() - startNs);
        }
    }

    private void fillWorkingSet(Fill fill, BitSet left) {
        Optional<WorkingSet.Body> recorded = readWorkingSet();
        if (recorded.isEmpty()) {
            return;
        }
        WorkingSet.Body pages = recorded.get();
        BitSet step = new BitSet();
        int stepPages = 0;
        for (int run = 0; run < pages.runs().length; run++) {
            if (pages.space(run) == fill.pageIndex.space()) {
                long end = Math.min(pages.firstPage(run) + pages.pageCount(run), fill.pageIndex.pages());
                for (int page = (int) pages.firstPage(run); page < end; page++) {
                    if (left.get(page)) {
                        left.clear(page);
                        step.set(page);
                        stepPages++;
                    }
                }
            }
            if (stepPages >= WORKING_SET_STEP || run == pages.runs().length - 1) {
                fill.submit(plan(fill.pageIndex, step));
                step.clear();
                stepPages = 0;
            }
        }
    }

    /** It is a hint: without it the order is another one, and nothing else. */
    private Optional<WorkingSet.Body> readWorkingSet() {
        String key = new Keys(manifest.vmId()).workingSet();
        Optional<ByteBuffer> content = store.get(key);
        if (content.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(Records.workingSet(key, content.get()));
        } catch (StoreException e) {
            LOG.warn("the restore goes on without a working set: {}", e.getMessage());
            return Optional.empty();
        }
    }

    @Override
    public void recordWorkingSet() {
        store.put(new Keys(manifest.vmId()).workingSet(), Records.bytes(workingSet.body(manifest)));
    }

    /** Ranges that hold the full versions of these pages. */
    private List<Range> plan(PageIndex pageIndex, BitSet pages) {
        long[] places = pages.stream()
                .filter(page -> isStored(pageIndex, page))
                .mapToLong(pageIndex::full)
                .sorted()
                .toArray();
        List<Range> ranges = new ArrayList<>();
        int at = 0;
        while (at < places.length) {
            int segment = PageIndex.segment(places[at]);
            RangePlan plan = new RangePlan(segment, indexes.get(segment));
            while (at < places.length && PageIndex.segment(places[at]) == segment) {
                int mask = 0;
                int first = at;
                while (at < places.length && PageIndex.sameRun(places[first], places[at])) {
                    mask |= 1 << PageIndex.pageOfRun(places[at++]);
                }
                plan.add(PageIndex.run(places[first]), mask);
            }
            ranges.addAll(plan.ranges());
        }
        return ranges;
    }

    /** Ranges of one segment with the full versions of the pages that are left. */
    private List<Range> planSegment(PageIndex pageIndex, int segment, BitSet left) {
        SegmentIndex index = indexes.get(segment);
        RangePlan plan = new RangePlan(segment, index);
        boolean hasBase = shape.hasBase(pageIndex.space());
        for (int run = 0; run < index.runs(); run++) {
            if (index.space(run) != pageIndex.space() || index.encoding(run) == RunCodec.DELTA) {
                continue;
            }
            int first = (int) index.firstPage(run);
            boolean zero = index.encoding(run) == RunCodec.ZERO && !hasBase;
            int mask = 0;
            for (int i = 0; i < index.pageCount(run); i++) {
                if (left.get(first + i)
                        && pageIndex.full(first + i) == PageIndex.place(segment, run, i)
                        && !(zero && pageIndex.delta(first + i) == PageIndex.NONE)) {
                    mask |= 1 << i;
                }
            }
            if (mask != 0) {
                plan.add(run, mask);
            }
        }
        return plan.ranges();
    }

    /** Whether a page has a version in a segment. A delta alone cannot be: it is against a full version. */
    private boolean isStored(PageIndex pageIndex, int page) {
        if (pageIndex.full(page) != PageIndex.NONE) {
            return true;
        }
        if (pageIndex.delta(page) != PageIndex.NONE) {
            String key = manifest.segments()
                    .get(PageIndex.segment(pageIndex.delta(page)))
                    .key();
            throw new DamagedObjectException("damaged segment " + key + ": it has a delta of page " + page + " of "
                    + VmShape.name(pageIndex.space()) + ", of which no segment has a full version");
        }
        return false;
    }

    @Override
    public void close() {
        lease.close();
    }

    /** One fill in progress. */
    private final class Fill implements AutoCloseable {
        final PageIndex pageIndex;
        final AtomicLong pages = new AtomicLong();
        final AtomicLong bytes = new AtomicLong();
        /** By segment: whether it holds the newest full version of a page. */
        final boolean[] liveRuns = new boolean[manifest.segments().size()];

        private final PageSink sink;
        /** Empty when the calling thread reads. */
        private final Optional<ExecutorService> threads = settings.readThreads() == 1
                ? Optional.empty()
                : Optional.of(StoreThreads.pool("store-read-" + manifest.vmId(), settings.readThreads()));

        private final Deque<Future<?>> inFlight = new ArrayDeque<>();

        Fill(PageIndex pageIndex, PageSink sink) {
            this.pageIndex = pageIndex;
            this.sink = sink;
            for (int page = 0; page < pageIndex.pages(); page++) {
                if (isStored(pageIndex, page)) {
                    liveRuns[PageIndex.segment(pageIndex.full(page))] = true;
                }
            }
        }

        void submit(List<Range> ranges) {
            for (Range range : ranges) {
                if (threads.isEmpty()) {
                    read(range);
                    continue;
                }
                if (inFlight.size() == RANGES_AHEAD) {
                    awaitFirst();
                }
                inFlight.add(threads.get().submit(() -> read(range)));
            }
        }

        private void read(Range range) {
            urgent.pass(settings.waitLimitMs());
            RunReader reader = takeReader();
            try {
                reader.read(range, pageIndex, shape.hasBase(pageIndex.space()), sink);
            } finally {
                pages.addAndGet(reader.takePagesDelivered());
                bytes.addAndGet(reader.takeBytesRead());
                giveBack(reader);
            }
        }

        private void awaitFirst() {
            StoreThreads.await(
                    inFlight.remove(),
                    settings.waitLimitMs(),
                    "reading epoch " + manifest.epoch() + " of VM " + manifest.vmId() + " from " + store.describe());
        }

        void finish() {
            while (!inFlight.isEmpty()) {
                awaitFirst();
            }
        }

        /** Nothing calls the sink after this: the caller may unmap its memory next. */
        @Override
        public void close() {
            threads.ifPresent(ExecutorService::shutdownNow);
            try {
                if (threads.isPresent()
                        && !threads.get().awaitTermination(settings.waitLimitMs(), TimeUnit.MILLISECONDS)) {
                    throw new StoreException("reads from " + store.describe() + " do not end");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
