// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import java.util.List;

/**
 * What the source tells about itself and the VM before anything is sent.
 *
 * @param term under which the source owns the VM
 * @param memoryBytes guest RAM
 * @param diskBlocks of each writable disk, in order: address spaces 1 and up
 * @param hostName of the source
 * @param cpuCompatibilityKey what the target's processor must satisfy; opaque here, judged by the monitor
 * @param vmDescription the monitor's JSON, to build the same VM
 * @param newestEpoch pages of this epoch are not sent; 0: everything is sent
 */
public record HelloInfo(
        int version,
        String vmId,
        long term,
        long memoryBytes,
        List<Long> diskBlocks,
        String hostName,
        String cpuCompatibilityKey,
        String vmDescription,
        long newestEpoch) {
    public HelloInfo {
        diskBlocks = List.copyOf(diskBlocks);
    }
}
