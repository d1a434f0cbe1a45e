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
    EpochWriter writer(OwnerRecord owner, long pages);

    /** The newest epoch whose manifest and segments are whole (checked by size and index checksum), else its parent. */
    Optional<EpochManifest> newestWhole();

    Optional<EpochManifest> epoch(long number);

    /**
     * Reads every page of an epoch that is not zero, each once, in parallel, and checks every checksum.
     *
     * @throws StoreException naming the damaged object
     */
    RestoreStats restore(EpochManifest manifest, PageSink sink);

    /** What a restore read. */
    record RestoreStats(long pages, long bytesRead, long nanos) {}
}
