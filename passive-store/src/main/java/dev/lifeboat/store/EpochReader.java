// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * One epoch, open for reading: where each page is, in memory, and its segments held by a lease, so that writers and
 * {@code store gc} leave them alone while newer epochs come. Thread-safe.
 */
public interface EpochReader extends AutoCloseable {
    EpochManifest manifest();

    /**
     * Reads some pages at once, on the calling thread: for who waits for them. A {@link #fill} holds back meanwhile. The
     * pages count as the working set, in the order in which they were asked for.
     *
     * @param sink gets these pages, but not those of zeros; see {@link VmStore#restore(EpochManifest, int, PageSink)}
     * @throws StoreException naming the damaged object
     */
    void read(int space, long firstPage, int pageCount, PageSink sink);

    /**
     * Reads a whole address space, each page once: first the working set that an earlier reader recorded, then the
     * newest written, then the rest; several ranges at once.
     *
     * @throws StoreException naming the damaged object
     */
    VmStore.RestoreStats fill(int space, PageSink sink);

    /** Stores which pages were {@link #read} first, for the next reader of this VM's epochs. */
    void recordWorkingSet();

    /** Ends the lease. */
    @Override
    void close();
}
