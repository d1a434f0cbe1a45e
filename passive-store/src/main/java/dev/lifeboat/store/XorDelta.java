// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What a page became, told as its difference from bytes that the reader has: for pages of which a few words changed. One
 * instance per thread: it owns scratch memory. No call allocates.
 *
 * <p>One page is a bitmap of its 64 lines of 64 bytes, one byte for each line that differs (which of its 8 words do),
 * and the XOR of each of those words; docs/store-format.md.
 */
public final class XorDelta {
    private static final int PAGE_BYTES = RunCodec.PAGE_BYTES;
    private static final int LINE_BYTES = 64;
    private static final int BITMAP_BYTES = 8;
    /** A delta longer than this is not worth reading a page twice for. */
    public static final int MAX_PAGE_BYTES = PAGE_BYTES / 2;

    private static final VarHandle WORDS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Per line that differs, in order: which words do. */
    private final byte[] wordsOfLine = new byte[PAGE_BYTES / LINE_BYTES];
    /** Of the delta, or of the part of it that is already too long. */
    private int lengthBytes;

    /**
     * Writes the difference of one page.
     *
     * @param page direct; 4096 bytes at its position. Position and limit are used and put back
     * @param base the bytes that the reader has, likewise
     * @param into advanced by the delta's length; {@link #MAX_PAGE_BYTES} must remain
     * @return false, with nothing written, when the delta would be longer than {@link #MAX_PAGE_BYTES}
     */
    public boolean encode(ByteBuffer page, ByteBuffer base, ByteBuffer into) {
        int pageAt = page.position();
        int baseAt = base.position();
        long lines = findLines(page, pageAt, base, baseAt);
        if (lengthBytes > MAX_PAGE_BYTES) {
            return false;
        }
        int lineCount = Long.bitCount(lines);
        int at = into.position();
        WORDS.set(into, at, lines);
        into.put(at + BITMAP_BYTES, wordsOfLine, 0, lineCount);
        int wordAt = at + BITMAP_BYTES + lineCount;
        for (int i = 0; lines != 0; lines &= lines - 1, i++) {
            int line = Long.numberOfTrailingZeros(lines) * LINE_BYTES;
            for (int words = wordsOfLine[i] & 0xff; words != 0; words &= words - 1) {
                int offset = line + Long.BYTES * Integer.numberOfTrailingZeros(words);
                WORDS.set(into, wordAt, word(page, pageAt + offset) ^ word(base, baseAt + offset));
                wordAt += Long.BYTES;
            }
        }
        into.position(wordAt);
        return true;
    }

    /**
     * Fills {@link #wordsOfLine} and {@link #lengthBytes}, and gives up when that is too long. Equal stretches are passed
     * by {@code mismatch}, which compares whole vectors.
     */
    private long findLines(ByteBuffer page, int pageAt, ByteBuffer base, int baseAt) {
        int pageLimit = page.limit();
        int baseLimit = base.limit();
        page.limit(pageAt + PAGE_BYTES);
        base.limit(baseAt + PAGE_BYTES);
        lengthBytes = BITMAP_BYTES;
        long lines = 0;
        int lineCount = 0;
        int at = 0;
        while (at < PAGE_BYTES && lengthBytes <= MAX_PAGE_BYTES) {
            int words = wordsThatDiffer(page, pageAt + at, base, baseAt + at);
            if (words != 0) {
                lines |= 1L << at / LINE_BYTES;
                wordsOfLine[lineCount++] = (byte) words;
                lengthBytes += 1 + Long.BYTES * Integer.bitCount(words);
                at += LINE_BYTES;
                continue;
            }
            int equalBytes = page.position(pageAt + at).mismatch(base.position(baseAt + at));
            if (equalBytes < 0) {
                break;
            }
            at += equalBytes & -LINE_BYTES;
        }
        page.limit(pageLimit).position(pageAt);
        base.limit(baseLimit).position(baseAt);
        return lines;
    }

    private static int wordsThatDiffer(ByteBuffer page, int pageAt, ByteBuffer base, int baseAt) {
        int words = 0;
        for (int word = 0; word < LINE_BYTES / Long.BYTES; word++) {
            int offset = Long.BYTES * word;
            if (word(page, pageAt + offset) != word(base, baseAt + offset)) {
                words |= 1 << word;
            }
        }
        return words;
    }

    /**
     * Makes pages of the pages that their deltas are against. Safe against any payload: every page of the run is
     * checked, whether wanted or not, and nothing outside the wanted pages is written. After an exception their
     * contents are undefined. Any thread; nothing is allocated.
     *
     * @param payload direct; all its remaining bytes are the deltas of a run, and are consumed
     * @param pageCount of the run
     * @param wantedPages bit n: page n of the run is wanted
     * @param pages direct; from its position on the pages of the run, of which the wanted ones hold what their deltas
     *     are against. Its position and limit are left as they were
     * @throws StoreException when the payload is not a valid delta of this many pages
     */
    public static void apply(ByteBuffer payload, int pageCount, int wantedPages, ByteBuffer pages) {
        if (!RunCodec.isPlausible(RunCodec.DELTA, payload.remaining(), pageCount)) {
            throw new StoreException(
                    "damaged run: a delta of " + payload.remaining() + " bytes for " + pageCount + " pages");
        }
        if (pages.remaining() < pageCount * PAGE_BYTES) {
            throw new IllegalArgumentException("room for " + pages.remaining() + " bytes, not " + pageCount + " pages");
        }
        int at = payload.position();
        for (int page = 0; page < pageCount; page++) {
            int pageAt = (wantedPages >>> page & 1) != 0 ? pages.position() + page * PAGE_BYTES : -1;
            at = applyPage(payload, at, pages, pageAt);
        }
        if (at != payload.limit()) {
            throw new StoreException("damaged run: " + (payload.limit() - at) + " bytes after the last delta");
        }
        payload.position(at);
    }

    /** Returns the end of this page's delta; {@code pageAt} is negative when the page is not wanted. */
    private static int applyPage(ByteBuffer payload, int at, ByteBuffer pages, int pageAt) {
        int end = payload.limit();
        if (end - at < BITMAP_BYTES) {
            throw truncated();
        }
        long lines = word(payload, at);
        int lineAt = at + BITMAP_BYTES;
        int wordAt = lineAt + Long.bitCount(lines);
        if (wordAt > end) {
            throw truncated();
        }
        for (; lines != 0; lines &= lines - 1, lineAt++) {
            int words = payload.get(lineAt) & 0xff;
            if (words == 0) {
                throw new StoreException("damaged run: a delta has a line without a word");
            }
            if (end - wordAt < Long.BYTES * Integer.bitCount(words)) {
                throw truncated();
            }
            if (pageAt < 0) {
                wordAt += Long.BYTES * Integer.bitCount(words);
                continue;
            }
            int line = pageAt + Long.numberOfTrailingZeros(lines) * LINE_BYTES;
            for (; words != 0; words &= words - 1, wordAt += Long.BYTES) {
                int target = line + Long.BYTES * Integer.numberOfTrailingZeros(words);
                WORDS.set(pages, target, word(pages, target) ^ word(payload, wordAt));
            }
        }
        return wordAt;
    }

    private static StoreException truncated() {
        return new StoreException("damaged run: a delta ends too early");
    }

    private static long word(ByteBuffer bytes, int at) {
        return (long) WORDS.get(bytes, at);
    }
}
