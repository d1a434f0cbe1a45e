// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/**
 * The part of {@link DirtyTracker} for one address space: which of its pages are dirty, and which pending. Threads as
 * there.
 */
final class SpaceTracker {
    private static final long BLOCK_MASK = (1L << PageRun.MAX_PAGES) - 1;

    private final int number;
    private final AddressSpace space;
    private final PageBitmap dirty;
    private final PageBitmap pending;
    /** Pages known to be holes: zero, and not to be read. */
    private final PageBitmap untouched;

    private final PageBitmap harvested;

    /** @param number of the space, see {@link PageRun#space} */
    SpaceTracker(int number, AddressSpace space) {
        this.number = number;
        this.space = space;
        dirty = new PageBitmap(space.pages());
        pending = new PageBitmap(space.pages());
        untouched = new PageBitmap(space.pages());
        harvested = new PageBitmap(space.pages());
    }

    AddressSpace space() {
        return space;
    }

    /** See {@link DirtyTracker#start}. */
    void start(Baseline baseline) {
        space.startLog();
        if (baseline instanceof Baseline.Epoch epoch) {
            if (number < epoch.changed().size()) {
                epoch.changed().get(number).addTo(dirty);
            }
        } else if (baseline instanceof Baseline.Unknown) {
            markEverything();
        } else {
            markExisting();
        }
    }

    /** Makes every page dirty that exists; the receiver starts from zeroes, or from the base image. */
    void markExisting() {
        space.forEachRange(dirty::setRange);
    }

    /** Makes every page dirty, those that do not exist as zeroes: nothing is known of what the receiver holds. */
    void markEverything() {
        if (!space.restIsZero()) {
            // A block that was ever written stays apart from the base image, so no epoch holds one that is not marked.
            markExisting();
            return;
        }
        untouched.setAll();
        space.forEachRange((first, count) -> {
            for (long page = first; page < first + count; page++) {
                untouched.clearBits((int) (page >>> 6), 1L << (page & 63));
            }
        });
        dirty.setAll();
    }

    /** Returns how many pages are dirty now. */
    long harvest() {
        space.harvest(harvested);
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
     * Moves the next run of dirty pages from page {@code from} on to pending.
     *
     * @return false when none is left
     */
    boolean takeNext(PageRun run, long from) {
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
        run.set(number, ((long) word << 6) + first, count, hole);
    }

    void committed() {
        pending.clear();
    }

    void failed() {
        // Not drained: added first, then cleared, so that no instant has a page in neither set.
        pending.addTo(dirty);
        pending.clear();
    }

    PageBitmap pagesNotInNewestEpoch() {
        PageBitmap pages = new PageBitmap(space.pages());
        dirty.addTo(pages);
        pending.addTo(pages);
        return pages;
    }

    long dirtyPages() {
        return dirty.count();
    }

    long pendingPages() {
        return pending.count();
    }
}
