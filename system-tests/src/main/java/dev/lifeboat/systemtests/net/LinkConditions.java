// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.time.Duration;

/**
 * What one direction between two ports of the switch does to frames. An immutable value; the switch thread applies it.
 *
 * @param delayNs added to every frame
 * @param bytesPerSecond bandwidth cap, 0 for none
 * @param dropProbability share of frames lost at random, 0 to 1
 * @param dropSeed seed of the random losses, so that a run can be repeated
 * @param blocked nothing passes
 */
public record LinkConditions(
        long delayNs, long bytesPerSecond, double dropProbability, long dropSeed, boolean blocked) {

    public static final LinkConditions CLEAR = new LinkConditions(0, 0, 0, 0, false);
    public static final LinkConditions BLOCKED = new LinkConditions(0, 0, 0, 0, true);

    public LinkConditions {
        if (delayNs < 0 || bytesPerSecond < 0 || !(dropProbability >= 0 && dropProbability <= 1)) {
            throw new IllegalArgumentException("link conditions out of range: delay " + delayNs + " ns, bandwidth "
                    + bytesPerSecond + " B/s, drop probability " + dropProbability);
        }
    }

    public LinkConditions withDelay(Duration delay) {
        return new LinkConditions(delay.toNanos(), bytesPerSecond, dropProbability, dropSeed, blocked);
    }

    public LinkConditions withBandwidth(long newBytesPerSecond) {
        return new LinkConditions(delayNs, newBytesPerSecond, dropProbability, dropSeed, blocked);
    }

    public LinkConditions withDrops(double probability, long seed) {
        return new LinkConditions(delayNs, bytesPerSecond, probability, seed, blocked);
    }
}
