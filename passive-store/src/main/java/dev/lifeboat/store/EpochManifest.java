// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.List;

/**
 * The small object that commits an epoch (docs/store-format.md).
 *
 * @param version of this record's format
 * @param epoch from 1, one more than its parent within a VM's history
 * @param term under which it was written
 * @param nonce of the owner that wrote it
 * @param parentEpoch 0 when it has none
 * @param pages of guest memory, 4 KiB each
 * @param segments every segment needed to restore, oldest first: later runs replace earlier ones
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
        long pages,
        List<SegmentRef> segments,
        String vmDescription,
        byte[] state,
        long cutAtMillis) {
    public static final int VERSION = 1;

    /** A segment by key, with its size and the CRC32C of its footer index. */
    public record SegmentRef(String key, long lengthBytes, int indexCrc32c) {}
}
