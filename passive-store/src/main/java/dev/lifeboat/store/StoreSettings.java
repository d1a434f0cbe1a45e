// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * The store's sizes and limits.
 *
 * @param minSegmentBytes of a segment that is not the last of its epoch; below 1 MiB requests cost more than bytes
 * @param maxSegmentBytes longest segment; above 16 MiB a request gets slow to repeat
 * @param uploadThreads segments in flight; one more is being filled
 * @param readThreads of a restore; with 1 the calling thread reads
 * @param retention which epochs are kept
 * @param compaction whether a writer copies what is alive out of segments that are mostly dead
 * @param checkpointSegments from so many segments on manifests refer to a checkpoint; a shorter list is as cheap to repeat
 * @param readerLeaseMs how long an epoch is held for a reader that says nothing any more
 * @param segmentMaxAgeMs a manifest lists no new segment that is older: {@code store gc} may take it for a leftover
 * @param waitLimitMs for an upload to make progress; above the longest time limit of a back end's call
 */
public record StoreSettings(
        int minSegmentBytes,
        int maxSegmentBytes,
        int uploadThreads,
        int readThreads,
        RetentionPolicy retention,
        boolean compaction,
        int checkpointSegments,
        long readerLeaseMs,
        long segmentMaxAgeMs,
        long waitLimitMs) {
    public static final StoreSettings DEFAULT =
            new StoreSettings(1 << 20, 16 << 20, 3, 4, RetentionPolicy.DEFAULT, true, 64, 60_000, 30 * 60_000, 150_000);

    /** One run of the largest kind with its index entry, header and trailer. */
    private static final int SMALLEST_SEGMENT_BYTES = 80 * 1024;

    public StoreSettings {
        if (minSegmentBytes < SMALLEST_SEGMENT_BYTES
                || maxSegmentBytes < minSegmentBytes
                || uploadThreads < 1
                || readThreads < 1
                || checkpointSegments < 1
                || readerLeaseMs < 1
                || segmentMaxAgeMs < 1
                || waitLimitMs < 1) {
            throw new IllegalArgumentException(
                    "segments of at least " + SMALLEST_SEGMENT_BYTES + " bytes, and at least one of the others");
        }
    }
}
