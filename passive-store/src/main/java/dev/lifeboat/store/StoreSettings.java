// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * The store's sizes and limits.
 *
 * @param segmentBytes a segment is at most this long; 8 MiB is what object stores take well as one request
 * @param uploadThreads segments in flight; one more is being filled
 * @param readThreads of a restore
 * @param keepEpochs newest manifests that are kept, so that a damaged one has a whole one behind it
 * @param readerLeaseMs how long an epoch is held for a reader that says nothing any more
 * @param waitLimitMs for an upload to make progress; above the longest time limit of a back end's call
 */
public record StoreSettings(
        int segmentBytes, int uploadThreads, int readThreads, int keepEpochs, long readerLeaseMs, long waitLimitMs) {
    public static final StoreSettings DEFAULT = new StoreSettings(8 << 20, 3, 4, 4, 60_000, 150_000);

    public StoreSettings {
        if (segmentBytes < 128 * 1024
                || uploadThreads < 1
                || readThreads < 1
                || keepEpochs < 1
                || readerLeaseMs < 1
                || waitLimitMs < 1) {
            throw new IllegalArgumentException("segments of at least 128 KiB, and at least one of the others");
        }
    }
}
