// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/**
 * How a VM is streamed.
 *
 * @param epochIntervalMs from one cut to the next; longer when the host cannot keep up, see {@link Streamer}
 * @param firstEpochMs from the start of a VM that has no epoch yet to its first one; longer while the guest keeps its
 *     processors busy, as one that boots does, see {@link Streamer}. Until then its memory has large
 *     pages and no write of it is noted: a guest boots faster, and what it reads and writes once while it boots is not
 *     streamed again and again
 * @param maxLivePasses passes over dirty pages while the guest runs, before a cut
 * @param cutPages few enough dirty pages to cut without another live pass
 * @param arenaBytes room for pages copied during the pause; what does not fit is streamed while the guest waits
 * @param encoders encoder threads
 * @param ringSize runs in the pipeline at once, a power of two; 64 KiB each
 * @param retryMinMs first wait after a failure of the store
 * @param retryMaxMs the wait doubles up to this
 * @param hotPagesBytes memory for copies of pages that are written again and again, at most a sixteenth of the guest's;
 *     what changed in them is sent, not the page. 0: no deltas
 */
public record StreamerConfig(
        int epochIntervalMs,
        int firstEpochMs,
        int maxLivePasses,
        int cutPages,
        int arenaBytes,
        int encoders,
        int ringSize,
        int retryMinMs,
        int retryMaxMs,
        long hotPagesBytes) {

    /**
     * An epoch a second; 2 MiB left at the cut (about a millisecond of copying); 16 MiB of arena, 4 of ring, up to 64 of
     * copies.
     */
    public static StreamerConfig defaults() {
        int encoders = Math.max(1, Runtime.getRuntime().availableProcessors() / 4);
        return new StreamerConfig(1_000, 5_000, 4, 512, 16 << 20, encoders, 64, 500, 10_000, 64 << 20);
    }

    public StreamerConfig withEpochIntervalMs(int newEpochIntervalMs) {
        return new StreamerConfig(
                newEpochIntervalMs,
                firstEpochMs,
                maxLivePasses,
                cutPages,
                arenaBytes,
                encoders,
                ringSize,
                retryMinMs,
                retryMaxMs,
                hotPagesBytes);
    }
}
