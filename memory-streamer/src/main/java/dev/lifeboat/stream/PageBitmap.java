// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * One bit per guest page, by page number (see {@link GuestMemory}). Setting bits is safe from any thread; taking them
 * ({@link #drainTo}) is done by one thread and loses no bit that is set meanwhile.
 */
public final class PageBitmap {
    private final AtomicLongArray words;
    private final long pages;

    public PageBitmap(long pages) {
        this.pages = pages;
        this.words = new AtomicLongArray(Math.toIntExact((pages + 63) / 64));
    }

    public long pages() {
        return pages;
    }

    public void set(long page) {
        int word = word(page);
        long mask = 1L << (page & 63);
        if ((words.get(word) & mask) == 0) {
            words.getAndAccumulate(word, mask, (old, bits) -> old | bits);
        }
    }

    public void setRange(long firstPage, long count) {
        for (long page = firstPage; page < firstPage + count; page++) {
            set(page);
        }
    }

    public boolean get(long page) {
        return (words.get(word(page)) & (1L << (page & 63))) != 0;
    }

    /** Sets the bits of {@code bits} in word {@code word} (pages {@code 64 * word} and up); returns how many are new. */
    public int orWord(int word, long bits) {
        if (bits == 0) {
            return 0;
        }
        long old = words.getAndAccumulate(word, bits, (a, b) -> a | b);
        return Long.bitCount(bits & ~old);
    }

    public long word(long page, boolean clear) {
        int word = word(page);
        return clear ? words.getAndSet(word, 0) : words.get(word);
    }

    /** The 64 bits of word {@code word}: pages {@code 64 * word} and up. */
    public long bits(int word) {
        return words.get(word);
    }

    /** Clears those bits of word {@code word} that are set in {@code mask}. */
    public void clearBits(int word, long mask) {
        words.getAndAccumulate(word, ~mask, (old, keep) -> old & keep);
    }

    /** Sets the bit; returns whether this call did. Everything before it is visible to who then sees the bit set. */
    public boolean testAndSet(long page) {
        long mask = 1L << (page & 63);
        return (words.getAndAccumulate(word(page), mask, (old, bits) -> old | bits) & mask) == 0;
    }

    /** Sets every bit. */
    public void setAll() {
        setRange(0, pages);
    }

    public int wordCount() {
        return words.length();
    }

    /** Moves every bit of this bitmap into {@code into}; returns how many were new there. */
    public long drainTo(PageBitmap into) {
        long added = 0;
        for (int i = 0; i < words.length(); i++) {
            if (words.get(i) != 0) {
                added += into.orWord(i, words.getAndSet(i, 0));
            }
        }
        return added;
    }

    /** Adds every bit of this bitmap to {@code into} and keeps them here. */
    public long addTo(PageBitmap into) {
        long added = 0;
        for (int i = 0; i < words.length(); i++) {
            added += into.orWord(i, words.get(i));
        }
        return added;
    }

    public void clear() {
        for (int i = 0; i < words.length(); i++) {
            words.set(i, 0);
        }
    }

    public long count() {
        long count = 0;
        for (int i = 0; i < words.length(); i++) {
            count += Long.bitCount(words.get(i));
        }
        return count;
    }

    private int word(long page) {
        if (page < 0 || page >= pages) {
            throw new IndexOutOfBoundsException("page " + page + " of " + pages);
        }
        return (int) (page >>> 6);
    }
}
