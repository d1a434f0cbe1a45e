// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/**
 * A streamer's counters at one moment.
 *
 * @param epochs committed by this streamer
 * @param lastEpoch its number, 0 when there is none
 * @param lastEpochCutAtMillis wall clock of the cut of that epoch
 * @param bytesStreamed payload bytes of committed epochs
 * @param lagPages pages that the newest epoch does not hold, as of the last harvest
 * @param synchronousPages pages streamed while the guest waited, because the arena was full
 * @param failures epochs that were not committed
 * @param lastError empty when the last epoch was committed
 */
public record StreamerStats(
        long epochs,
        long lastEpoch,
        long lastEpochCutAtMillis,
        long bytesStreamed,
        long lagPages,
        double pauseMsP50,
        double pauseMsP99,
        double pauseMsMax,
        long synchronousPages,
        long failures,
        String lastError) {
    public long lagBytes() {
        return lagPages * GuestMemory.PAGE_BYTES;
    }
}
