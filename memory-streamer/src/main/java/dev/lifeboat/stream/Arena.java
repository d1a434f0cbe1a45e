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
    /** Runs as first page * 32 + count, and their address spaces; their bytes follow each other in the arena. */
    private final long[] runs;

    private final byte[] spaces;

    private int runCount;
    private int pages;

    Arena(int capacityBytes) {
        capacityPages = capacityBytes / GuestMemory.PAGE_BYTES;
        base = NativeMemory.allocate((long) capacityPages * GuestMemory.PAGE_BYTES);
        runs = new long[capacityPages];
        spaces = new byte[capacityPages];
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

    /** Copies a run out of its space. */
    void add(PageRun run, AddressSpace space) {
        space.copy(run.firstPage(), run.count(), base + (long) pages * GuestMemory.PAGE_BYTES);
        spaces[runCount] = (byte) run.space();
        runs[runCount++] = run.firstPage() << 5 | run.count();
        pages += run.count();
    }

    void publishTo(PagePipeline pipeline) {
        long address = base;
        for (int i = 0; i < runCount; i++) {
            int count = (int) (runs[i] & 31);
            pipeline.publish(spaces[i], runs[i] >>> 5, count, address);
            address += (long) count * GuestMemory.PAGE_BYTES;
        }
    }

    @Override
    public void close() {
        NativeMemory.free(base);
    }
}
