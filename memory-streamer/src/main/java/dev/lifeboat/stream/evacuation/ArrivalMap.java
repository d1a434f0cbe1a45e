// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.AddressSpace;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;

/**
 * Puts arriving pages into one address space of the target so that a page of the store never replaces one of the source, whichever
 * comes first. The receiver (one thread) and the store's readers (several) use it at once, without locks.
 *
 * <p>Why that is right: the store's reader first marks a page <em>hydrating</em>, then looks whether it was
 * <em>received</em>; the receiver first marks it received, then looks whether it is hydrating, and waits for that copy
 * (4 KiB) to end before it writes. Both marks are atomic read-modify-writes, so at least one side sees the other.
 */
final class ArrivalMap {
    private final int number;
    private final AddressSpace space;
    private final PageBitmap received;
    private final PageBitmap hydrating;
    private final PageBitmap hydrated;
    /** Hash of each page as it is there now, or 0 when hashes are not kept: native, one long per page. */
    private final long hashes;

    private final long pages;

    ArrivalMap(int number, AddressSpace space, boolean keepHashes) {
        this.number = number;
        this.space = space;
        pages = space.pages();
        received = new PageBitmap(pages);
        hydrating = new PageBitmap(pages);
        hydrated = new PageBitmap(pages);
        hashes = keepHashes ? NativeMemory.allocate(pages * Long.BYTES) : 0;
    }

    boolean isRange(long firstPage, int count) {
        return firstPage >= 0 && count > 0 && firstPage <= pages - count;
    }

    /** Pages of the store; {@code from} is the address of their bytes. Any thread, each page once. */
    void hydrate(long firstPage, int count, long from) {
        for (int i = 0; i < count; i++) {
            long page = firstPage + i;
            hydrating.set(page);
            try {
                if (!received.get(page)) {
                    put(page, from + (long) i * GuestMemory.PAGE_BYTES);
                }
            } finally {
                hydrated.set(page);
            }
        }
    }

    /** Pages of the source; {@code from} is the address of their bytes, 0 when all are zero. The receiver's thread. */
    void receive(long firstPage, int count, long from) {
        for (int i = 0; i < count; i++) {
            long page = firstPage + i;
            boolean first = received.testAndSet(page);
            boolean touched = !first;
            if (hydrating.get(page)) {
                touched = true;
                while (!hydrated.get(page)) {
                    // As long as a 4 KiB copy takes.
                    Thread.onSpinWait();
                }
            }
            if (from != 0) {
                put(page, from + (long) i * GuestMemory.PAGE_BYTES);
            } else if (touched || !space.restIsZero()) {
                // An untouched page is a hole: it is zero, and writing would allocate it.
                put(page, 0);
            }
        }
    }

    private void put(long page, long from) {
        space.fill(page, 1, from);
        if (hashes != 0) {
            setHash(page, space.hashAfterFill(number, page, from));
        }
    }

    private void setHash(long page, long hash) {
        NativeMemory.putLong(hashes + page * Long.BYTES, hash);
    }

    /** The hash of all that arrived; after both sides have come to rest. */
    long contentHash() {
        long sum = 0;
        for (long page = 0; page < pages; page++) {
            sum += NativeMemory.getLong(hashes + page * Long.BYTES);
        }
        return sum;
    }

    /** Pages that came from the source: what the epoch does not hold. */
    PageBitmap received() {
        return received;
    }

    long hydratedPages() {
        return hydrated.count();
    }

    void free() {
        if (hashes != 0) {
            NativeMemory.free(hashes);
        }
    }
}
