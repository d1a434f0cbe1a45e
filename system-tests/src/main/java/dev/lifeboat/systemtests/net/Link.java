// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.util.SplittableRandom;

/** One direction between two ports: when, if ever, does a frame arrive. Used by the switch thread only. */
final class Link {

    /** A capped link holds this much waiting time before it drops, like the buffer of a real switch port. */
    private static final long MAX_QUEUE_NS = 500_000_000;

    /** {@link #arrivalNs} of a frame that is lost. Not a time that {@link System#nanoTime} differences ever reach. */
    static final long LOST = Long.MIN_VALUE;

    private LinkConditions conditions = LinkConditions.CLEAR;
    private SplittableRandom drops = new SplittableRandom(0);
    private long freeAtNs = Long.MIN_VALUE;
    private long lastArrivalNs = Long.MIN_VALUE;

    void setConditions(LinkConditions newConditions) {
        conditions = newConditions;
        drops = new SplittableRandom(newConditions.dropSeed());
        freeAtNs = Long.MIN_VALUE;
    }

    /** Arrival time of a frame that enters the link now, or {@link #LOST}. Frames of one link never overtake. */
    long arrivalNs(long nowNs, int lengthBytes) {
        if (conditions.blocked()) {
            return LOST;
        }
        if (conditions.dropProbability() > 0 && drops.nextDouble() < conditions.dropProbability()) {
            return LOST;
        }
        long sentNs = nowNs;
        if (conditions.bytesPerSecond() > 0) {
            long startNs = Math.max(nowNs, freeAtNs);
            if (startNs - nowNs > MAX_QUEUE_NS) {
                return LOST;
            }
            sentNs = startNs + lengthBytes * 1_000_000_000L / conditions.bytesPerSecond();
            freeAtNs = sentNs;
        }
        lastArrivalNs = Math.max(lastArrivalNs, sentNs + conditions.delayNs());
        return lastArrivalNs;
    }
}
