// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/** The epochs and owner records of one VM. Thread-safe; the objects it hands out say their own rules. */
public interface VmStore {
    String vmId();

    OwnerRegistry owners();

    /**
     * A writer that continues after the newest epoch.
     *
     * @param owner a record that this host has won
     */
    EpochWriter writer(OwnerRecord owner, VmShape shape);

    /** The newest epoch whose manifest and segments are whole (checked by size and index checksum), else its parent. */
    Optional<EpochManifest> newestWhole();

    Optional<EpochManifest> epoch(long number);

    /** Restores guest memory. */
    default RestoreStats restore(EpochManifest manifest, PageSink sink) {
        return restore(manifest, VmShape.MEMORY, sink);
    }

    /**
     * Reads every page of one address space of an epoch, each once, in parallel, and checks every checksum. Pages of
     * zeros are left out; only on a disk with a base image are they delivered where a segment has them.
     *
     * @param space see {@link VmShape}
     * @throws StoreException naming the damaged object
     */
    RestoreStats restore(EpochManifest manifest, int space, PageSink sink);

    /** What a restore read. */
    record RestoreStats(long pages, long bytesRead, long nanos) {}
}
