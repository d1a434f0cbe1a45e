// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies of pages that are written again and again, as the store holds them in full: what deltas are made against. Used
 * by one encoder thread, for the pages whose every run it encodes. Nothing is allocated per page; the memory for copies
 * grows with use up to its bound.
 *
 * <p>A copy is always equal to the newest full version of its page in the epochs committed so far and the one being
 * built, or it is not there. So copies made for an epoch that is given up are dropped with it (invariant I2), and the
 * older copy in whose place they came does not come back.
 *
 * <p>A page is kept from the second time on that it is sent in full, and goes when a delta against it was too long and none
 * has been short enough since the time before. Sets of {@value #WAYS} slots; in a full one the clock decides.
 */
final class HotPages {
    static final int NONE = -1;
    private static final Logger LOG = LoggerFactory.getLogger(HotPages.class);
    private static final int WAYS = 8;
    /** 1 MiB; direct memory is handed out in these. */
    private static final int SLAB_PAGES = 256;

    private static final int SPACE_SHIFT = 48;
    /** Pages sent once that are remembered for each that can be kept; an eighth of a byte each. */
    private static final int SEEN_PER_SLOT = 16;

    private final int sets;
    /** Per slot: space and page, or {@link #NONE}. */
    private final long[] keys;
    /** Per slot: which copy of the slabs is its own, or {@link #NONE}; kept when the slot becomes empty. */
    private final int[] copies;
    /** Per slot: the copy was made for the epoch that is being built. */
    private final boolean[] uncommitted;
    /** Per slot: a delta was made against it since it was last judged. */
    private final boolean[] useful;
    /** Per set: the slot that is judged next. */
    private final byte[] hands;

    private final ByteBuffer[] slabs;
    private int copiesUsed;
    private boolean outOfMemory;

    /** A bit per hash of a page sent in full; wrong answers only keep a page too early. */
    private final long[] seen;

    private int seenCount;

    /** @param capacityPages rounded up to a power of two */
    HotPages(int capacityPages) {
        int slots = Integer.highestOneBit(Math.max(WAYS, capacityPages) * 2 - 1);
        sets = slots / WAYS;
        keys = new long[slots];
        copies = new int[slots];
        uncommitted = new boolean[slots];
        useful = new boolean[slots];
        hands = new byte[sets];
        slabs = new ByteBuffer[(slots + SLAB_PAGES - 1) / SLAB_PAGES];
        seen = new long[slots * SEEN_PER_SLOT / Long.SIZE];
        Arrays.fill(keys, NONE);
        Arrays.fill(copies, NONE);
    }

    /** The slot that keeps this page, or {@link #NONE}. */
    int find(int space, long page) {
        long key = key(space, page);
        int first = firstSlot(key);
        for (int slot = first; slot < first + WAYS; slot++) {
            if (keys[slot] == key) {
                return slot;
            }
        }
        return NONE;
    }

    /** The copy: 4096 bytes from the position of the returned buffer, which is valid until the next call. */
    ByteBuffer copy(int slot) {
        int copy = copies[slot];
        int at = copy % SLAB_PAGES * GuestMemory.PAGE_BYTES;
        return slabs[copy / SLAB_PAGES].clear().position(at);
    }

    /** A delta against this copy was sent. */
    void deltaSent(int slot) {
        useful[slot] = true;
    }

    /**
     * A page was sent in full.
     *
     * @param bytes the page is at {@code at}; position and limit are left as they were
     */
    void fullSent(int space, long page, ByteBuffer bytes, int at) {
        int slot = find(space, page);
        if (slot != NONE) {
            if (useful[slot]) {
                useful[slot] = false;
                keep(slot, bytes, at);
            } else {
                keys[slot] = NONE;
                forgetSeen(key(space, page));
            }
        } else if (wasSeen(key(space, page))) {
            slot = takeSlot(key(space, page));
            if (slot != NONE) {
                keys[slot] = key(space, page);
                useful[slot] = false;
                keep(slot, bytes, at);
            }
        }
    }

    /** Pages were sent in full, and are zero: not worth a copy. */
    void zeroSent(int space, long firstPage, int count) {
        for (long page = firstPage; page < firstPage + count; page++) {
            int slot = find(space, page);
            if (slot != NONE) {
                keys[slot] = NONE;
            }
        }
    }

    private void keep(int slot, ByteBuffer bytes, int at) {
        uncommitted[slot] = true;
        ByteBuffer copy = copy(slot);
        copy.put(copy.position(), bytes, at, GuestMemory.PAGE_BYTES);
    }

    /** What was sent since the last call is the store's, or never will be. */
    void epochEnded(boolean committed) {
        for (int slot = 0; slot < keys.length; slot++) {
            if (uncommitted[slot]) {
                uncommitted[slot] = false;
                if (!committed) {
                    keys[slot] = NONE;
                }
            }
        }
    }

    /** Another writer goes on from an epoch that may not be ours. */
    void forgetAll() {
        Arrays.fill(keys, NONE);
        Arrays.fill(uncommitted, false);
    }

    /** A slot of the key's set with room for a copy: an empty one, or the one that the clock gives up. */
    private int takeSlot(long key) {
        int first = firstSlot(key);
        for (int slot = first; slot < first + WAYS; slot++) {
            if (keys[slot] == NONE) {
                return copies[slot] != NONE || giveCopy(slot) ? slot : NONE;
            }
        }
        int set = first / WAYS;
        while (true) {
            int slot = first + hands[set];
            hands[set] = (byte) ((hands[set] + 1) % WAYS);
            if (!useful[slot]) {
                return slot;
            }
            useful[slot] = false;
        }
    }

    private boolean giveCopy(int slot) {
        int slab = copiesUsed / SLAB_PAGES;
        if (slabs[slab] == null) {
            if (outOfMemory) {
                return false;
            }
            try {
                slabs[slab] = ByteBuffer.allocateDirect(SLAB_PAGES * GuestMemory.PAGE_BYTES);
            } catch (OutOfMemoryError e) {
                // Streaming works without.
                outOfMemory = true;
                LOG.warn("Only {} pages are kept for deltas: {}", copiesUsed, e.getMessage());
                return false;
            }
        }
        copies[slot] = copiesUsed++;
        return true;
    }

    /** Whether the page was sent in full not long ago; from now on it was. */
    private boolean wasSeen(long key) {
        int bit = seenBit(key);
        boolean was = (seen[bit >>> 6] >>> bit & 1) != 0;
        if (!was) {
            if (seenCount++ > seen.length * Long.SIZE / 2) {
                Arrays.fill(seen, 0);
                seenCount = 0;
            }
            seen[bit >>> 6] |= 1L << bit;
        }
        return was;
    }

    private void forgetSeen(long key) {
        int bit = seenBit(key);
        seen[bit >>> 6] &= ~(1L << bit);
    }

    private int seenBit(long key) {
        return (int) (hash(key) >>> 16) & seen.length * Long.SIZE - 1;
    }

    private int firstSlot(long key) {
        return ((int) hash(key) & sets - 1) * WAYS;
    }

    private static long key(int space, long page) {
        return (long) space << SPACE_SHIFT | page;
    }

    /** The last step of MurmurHash3. */
    private static long hash(long key) {
        long hash = (key ^ key >>> 33) * 0xff51afd7ed558ccdL;
        hash = (hash ^ hash >>> 33) * 0xc4ceb9fe1a85ec53L;
        return hash ^ hash >>> 33;
    }
}
