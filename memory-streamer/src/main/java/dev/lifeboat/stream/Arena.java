// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;

/**
 * Memory off the heap that takes copies of runs while the guest stands still, so that it can go on before they are
 * encoded and uploaded. Fixed size, reused by every cut. Used by the streaming thread.
 */
final class Arena implements AutoCloseable {
    private final int capacityPages;
    private final long base;
    /** Runs as first page * 32 + count; their bytes follow each other in the arena. */
    private final long[] runs;

    private int runCount;
    private int pages;

    Arena(int capacityBytes) {
        capacityPages = capacityBytes / GuestMemory.PAGE_BYTES;
        base = NativeMemory.allocate((long) capacityPages * GuestMemory.PAGE_BYTES);
        runs = new long[capacityPages];
    }

    void clear() {
        runCount = 0;
        pages = 0;
    }

    int capacityPages() {
        return capacityPages;
    }

    boolean hasRoomFor(int count) {
        return pages + count <= capacityPages && runCount < runs.length;
    }

    void add(long firstPage, int count, long address) {
        NativeMemory.copy(address, base + (long) pages * GuestMemory.PAGE_BYTES, (long) count * GuestMemory.PAGE_BYTES);
        runs[runCount++] = firstPage << 5 | count;
        pages += count;
    }

    void publishTo(PagePipeline pipeline) {
        long address = base;
        for (int i = 0; i < runCount; i++) {
            int count = (int) (runs[i] & 31);
            pipeline.publish(runs[i] >>> 5, count, address);
            address += (long) count * GuestMemory.PAGE_BYTES;
        }
    }

    @Override
    public void close() {
        NativeMemory.free(base);
    }
}
