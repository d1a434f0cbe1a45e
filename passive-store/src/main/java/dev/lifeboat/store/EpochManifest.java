// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.VmShape.DiskShape;
import java.util.List;
import java.util.Optional;

/**
 * The small object that commits an epoch (docs/store-format.md).
 *
 * @param version of this record's format
 * @param epoch from 1, one more than its parent within a VM's history
 * @param term under which it was written
 * @param nonce of the owner that wrote it
 * @param parentEpoch 0 when it has none
 * @param parentCrc32c of the parent's manifest as an object; 0 without a parent
 * @param pages of guest memory, 4 KiB each
 * @param disks writable disks, in the order of their address spaces
 * @param segments every segment needed to restore, oldest first: later runs replace earlier ones
 * @param checkpoint the object that has the most of {@code segments}; empty when the manifest says all itself
 * @param vmDescription the monitor's JSON: what is needed to build the same VM elsewhere
 * @param state the monitor's device and vCPU state at the cut
 * @param cutAtMillis wall clock of the cut
 */
public record EpochManifest(
        int version,
        String vmId,
        long epoch,
        long term,
        String nonce,
        long parentEpoch,
        int parentCrc32c,
        long pages,
        List<DiskShape> disks,
        List<SegmentRef> segments,
        Optional<CheckpointRef> checkpoint,
        String vmDescription,
        byte[] state,
        long cutAtMillis) {
    public static final int VERSION = 3;
    /** Epochs of this version, which refer to no checkpoints, are still read. */
    public static final int OLDEST_VERSION = 2;

    public EpochManifest {
        disks = List.copyOf(disks);
        segments = List.copyOf(segments);
    }

    public VmShape shape() {
        return new VmShape(pages, disks);
    }

    /**
     * A segment by key.
     *
     * @param indexCrc32c of its footer index
     * @param runs in it, which says how long its index is; 0 when not known (version 1)
     */
    public record SegmentRef(String key, long lengthBytes, int indexCrc32c, int runs) {}

    /**
     * A checkpoint by key.
     *
     * @param sha256 of the object, in hexadecimal digits
     */
    public record CheckpointRef(String key, long lengthBytes, String sha256) {}
}
