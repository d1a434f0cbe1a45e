// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;

/**
 * What the tracker, the cut and the arrival need of one address space of a VM: its memory, or one of its disks. Has no
 * state of its own; threads as those of what it stands for.
 */
public interface AddressSpace {
    /** Of memory without a VM. */
    DirtyLog NO_LOG = new DirtyLog() {
        @Override
        public void start() {
            throw new IllegalStateException("nothing writes this memory yet");
        }

        @Override
        public void stop() {
            throw new IllegalStateException("nothing writes this memory yet");
        }

        @Override
        public long harvest(PageBitmap into) {
            throw new IllegalStateException("nothing writes this memory yet");
        }
    };

    long pages();

    /** From here on every write is found by {@link #harvest}. */
    void startLog();

    void stopLog();

    /** Adds what was written since the last harvest; a page may be read after this call, see {@link DirtyLog#harvest}. */
    void harvest(PageBitmap into);

    /** Every range of pages that may hold something else than a fresh VM's would. */
    void forEachRange(RangeConsumer consumer);

    /** Whether the pages outside of {@link #forEachRange} are zero; else a base image has them. */
    boolean restIsZero();

    /** Copies pages to {@code address}. */
    void copy(long firstPage, int count, long address);

    /** Queues a run of this space; untouched pages are not read. */
    void publish(PageRun run, PagePipeline pipeline);

    /** Puts pages there while no guest runs. {@code address} 0: zeroes. */
    void fill(long firstPage, int count, long address);

    /** The share of a page that was just filled in the hash of this space, {@link MemoryHash}. */
    long hashAfterFill(int number, long page, long address);

    static AddressSpace of(GuestMemory memory, DirtyLog log) {
        return new OfMemory(memory, log);
    }

    /** Memory that is only filled, before there is a VM that could write it. */
    static AddressSpace of(GuestMemory memory) {
        return new OfMemory(memory, NO_LOG);
    }

    static AddressSpace of(StreamedDisk disk) {
        return new OfDisk(disk);
    }

    /** Guest memory. */
    record OfMemory(GuestMemory memory, DirtyLog log) implements AddressSpace {
        @Override
        public long pages() {
            return memory.pages();
        }

        @Override
        public void startLog() {
            log.start();
        }

        @Override
        public void stopLog() {
            log.stop();
        }

        @Override
        public void harvest(PageBitmap into) {
            log.harvest(into);
            memory.ownWrites().drainTo(into);
        }

        @Override
        public void forEachRange(RangeConsumer consumer) {
            DataPages.forEachRange(memory, consumer);
        }

        @Override
        public boolean restIsZero() {
            return true;
        }

        @Override
        public void copy(long firstPage, int count, long address) {
            NativeMemory.copy(memory.pageAddress(firstPage), address, (long) count * GuestMemory.PAGE_BYTES);
        }

        @Override
        public void publish(PageRun run, PagePipeline pipeline) {
            long address = run.isUntouched() ? 0 : memory.pageAddress(run.firstPage());
            pipeline.publish(run.space(), run.firstPage(), run.count(), address);
        }

        @Override
        public void fill(long firstPage, int count, long address) {
            long to = memory.pageAddress(firstPage);
            long lengthBytes = (long) count * GuestMemory.PAGE_BYTES;
            if (address == 0) {
                NativeMemory.fill(to, lengthBytes, (byte) 0);
            } else {
                NativeMemory.copy(address, to, lengthBytes);
            }
        }

        @Override
        public long hashAfterFill(int number, long page, long address) {
            // From memory, not from what came: so it is seen when something else got there.
            return address == 0 ? 0 : MemoryHash.ofPage(page, memory.pageAddress(page));
        }
    }

    /** A disk; its writes are always logged. */
    record OfDisk(StreamedDisk disk) implements AddressSpace {
        @Override
        public long pages() {
            return disk.blocks();
        }

        @Override
        public void startLog() {
            // The device notes every write from its first one.
        }

        @Override
        public void stopLog() {
            // Noting costs a bit per write.
        }

        @Override
        public void harvest(PageBitmap into) {
            disk.dirtyBlocks().drainTo(into);
        }

        @Override
        public void forEachRange(RangeConsumer consumer) {
            disk.forEachRange(consumer);
        }

        @Override
        public boolean restIsZero() {
            return disk.baseImage().isEmpty();
        }

        @Override
        public void copy(long firstPage, int count, long address) {
            disk.read(firstPage, count, address);
        }

        @Override
        public void publish(PageRun run, PagePipeline pipeline) {
            if (run.isUntouched()) {
                pipeline.publish(run.space(), run.firstPage(), run.count(), 0);
            } else {
                pipeline.publish(run.space(), run.firstPage(), run.count(), disk);
            }
        }

        @Override
        public void fill(long firstPage, int count, long address) {
            disk.fill(firstPage, count, address);
        }

        @Override
        public long hashAfterFill(int number, long page, long address) {
            return address == 0
                    ? MemoryHash.ofZeroBlock(number, page, !restIsZero())
                    : MemoryHash.ofBlock(number, page, address, !restIsZero());
        }
    }
}
