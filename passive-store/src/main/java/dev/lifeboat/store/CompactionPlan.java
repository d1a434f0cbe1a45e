// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.LivePages.Segment;
import java.util.List;

/**
 * Chooses neighbouring segments whose live pages are worth copying to new ones: where much is dead, or where there are
 * many small ones. The fuller the store, the less it has to be worth.
 */
final class CompactionPlan {
    /** What a segment costs besides its bytes, in bytes: a request when it is read, and an entry in every manifest. */
    private static final long SEGMENT_COST_BYTES = 128 * 1024;

    private static final int MAX_SEGMENTS = 256;
    /** Below this share of the limit there is no hurry: it may wait until that much is gained. */
    private static final double ROOMY = 0.5;

    private static final long MIN_GAIN_BYTES = 256 * 1024;

    private CompactionPlan() {}

    /**
     * @param live all segments of the newest epoch, in fold order
     * @param maxLiveBytes to be copied at once
     * @param outputBytes length of a segment made by the compaction
     * @param fullness of the store: 1 is its limit
     * @return empty when nothing is worth it
     */
    static List<Segment> choose(List<Segment> live, long maxLiveBytes, long outputBytes, double fullness) {
        double worthwhile = worthwhile(fullness);
        double best = fullness < ROOMY ? MIN_GAIN_BYTES : 0;
        int bestFrom = 0;
        int bestTo = 0;
        for (int from = 0; from < live.size(); from++) {
            long liveBytes = 0;
            long deadBytes = 0;
            for (int to = from; to < live.size() && to - from < MAX_SEGMENTS; to++) {
                Segment segment = live.get(to);
                liveBytes += segment.liveBytes();
                deadBytes += segment.ref.lengthBytes() - segment.liveBytes();
                if (liveBytes > maxLiveBytes && to > from) {
                    break;
                }
                int segments = to + 1 - from;
                long outputs = liveBytes / outputBytes + 1;
                double gain = deadBytes + (segments - outputs) * (double) SEGMENT_COST_BYTES;
                double cost = liveBytes + segments * SEGMENT_COST_BYTES / 2.0;
                // Not the best ratio: that would take single segments, and copy too little to keep up.
                if (gain - worthwhile * cost > best) {
                    best = gain - worthwhile * cost;
                    bestFrom = from;
                    bestTo = to + 1;
                }
            }
        }
        return List.copyOf(live.subList(bestFrom, bestTo));
    }

    /**
     * What has to be gained per byte that is copied. A guest whose pages do not compress fills half of the limit with
     * what is alive; what is copied stands there twice until the epochs before are gone.
     */
    private static double worthwhile(double fullness) {
        if (fullness < ROOMY) {
            return 1;
        }
        return fullness < 0.6 ? 0.4 : fullness < 0.7 ? 0.2 : 0.05;
    }
}
