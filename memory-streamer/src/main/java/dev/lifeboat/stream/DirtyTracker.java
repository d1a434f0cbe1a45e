// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/**
 * Knows for every page whether the newest epoch of the store holds its bytes (invariant I2: nothing is cleared before
 * it is durable). A page is <em>dirty</em> (to be sent), then <em>pending</em> (sent, not durable); a commit forgets
 * the pending pages, a failure makes them dirty again. A page may be both: sent, and written since.
 *
 * <p>Used by one thread at a time: the streamer, or the evacuation while the streamer is suspended. Bits only ever
 * appear from elsewhere in the dirty log and in {@link GuestMemory#ownWrites()}.
 */
public final class DirtyTracker {
    private static final long BLOCK_MASK = (1L << PageRun.MAX_PAGES) - 1;

    private final GuestMemory memory;
    private final DirtyLog log;
    private final PageBitmap dirty;
    private final PageBitmap pending;
    /** Pages known to be holes of the memfd: zero, and not to be read. */
    private final PageBitmap untouched;

    private final PageBitmap harvested;

    public DirtyTracker(GuestMemory memory, DirtyLog log) {
        this.memory = memory;
        this.log = log;
        dirty = new PageBitmap(memory.pages());
        pending = new PageBitmap(memory.pages());
        untouched = new PageBitmap(memory.pages());
        harvested = new PageBitmap(memory.pages());
    }

    /** Starts the log, then takes in what differs from the store. Pages that come to exist in between are logged. */
    public void start(Baseline baseline) {
        log.start();
        if (baseline instanceof Baseline.Epoch epoch) {
            epoch.changed().addTo(dirty);
        } else if (baseline instanceof Baseline.Unknown) {
            markEverything();
        } else {
            markExisting();
        }
    }

    public void stop() {
        log.stop();
    }

    /** Makes every page dirty that exists in memory; the receiver starts from zeroes. */
    public void markExisting() {
        DataPages.forEachRange(memory, dirty::setRange);
    }

    private void markEverything() {
        untouched.setAll();
        DataPages.forEachRange(memory, (first, count) -> {
            for (long page = first; page < first + count; page++) {
                untouched.clearBits((int) (page >>> 6), 1L << (page & 63));
            }
        });
        dirty.setAll();
    }

    /** Takes in everything written since the last harvest; returns how many pages are dirty now. */
    public long harvest() {
        log.harvest(harvested);
        memory.ownWrites().drainTo(harvested);
        long count = 0;
        for (int word = 0; word < harvested.wordCount(); word++) {
            long bits = harvested.bits(word);
            if (bits != 0) {
                harvested.clearBits(word, bits);
                untouched.clearBits(word, bits);
                dirty.orWord(word, bits);
            }
            count += Long.bitCount(dirty.bits(word));
        }
        return count;
    }

    /**
     * Moves the next run of dirty pages, at or after the end of {@code run}, to pending. The caller sends it; a page
     * written meanwhile is harvested again later.
     *
     * @return false when no dirty page is left up to the end of memory
     */
    public boolean takeNext(PageRun run) {
        long from = run.firstPage() + run.count();
        int word = (int) (from >>> 6);
        int bit = (int) (from & 63);
        while (word < dirty.wordCount()) {
            long bits = dirty.bits(word) & (-1L << bit);
            if (bits != 0) {
                take(run, word, bits);
                return true;
            }
            word++;
            bit = 0;
        }
        return false;
    }

    private void take(PageRun run, int word, long bits) {
        int first = Long.numberOfTrailingZeros(bits);
        long block = BLOCK_MASK << (first / PageRun.MAX_PAGES * PageRun.MAX_PAGES);
        boolean hole = (untouched.bits(word) >>> first & 1) != 0;
        // A run is of one kind: pages that must not be read are never mixed with pages that are.
        long kind = hole ? untouched.bits(word) : ~untouched.bits(word);
        int count = Long.numberOfTrailingZeros(~((bits & block & kind) >>> first));
        long mask = (count == 64 ? -1L : (1L << count) - 1) << first;
        // Pending first: at no instant is a page in neither set.
        pending.orWord(word, mask);
        dirty.clearBits(word, mask);
        run.set(((long) word << 6) + first, count, hole);
    }

    /** The pending pages are durable: forget them. */
    public void committed() {
        pending.clear();
    }

    /** The pending pages did not become durable: they are dirty again. */
    public void failed() {
        // Not drained: added first, then cleared, so that no instant has a page in neither set.
        pending.addTo(dirty);
        pending.clear();
    }

    /** A copy of the set of pages whose bytes the newest epoch does not hold, as of the last harvest. */
    public PageBitmap pagesNotInNewestEpoch() {
        PageBitmap pages = new PageBitmap(memory.pages());
        dirty.addTo(pages);
        pending.addTo(pages);
        return pages;
    }

    public long dirtyPages() {
        return dirty.count();
    }

    public long pendingPages() {
        return pending.count();
    }

    public GuestMemory memory() {
        return memory;
    }
}
