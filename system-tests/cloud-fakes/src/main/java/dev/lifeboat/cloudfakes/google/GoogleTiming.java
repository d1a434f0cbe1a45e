// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import java.time.Duration;

/**
 * How long the fake takes, on its own clock.
 *
 * @param visible until a new instance or disk is found at all
 * @param staging until an instance has its hardware
 * @param operation until an operation is done; a new instance runs then
 */
public record GoogleTiming(Duration visible, Duration staging, Duration operation) {
    /** Everything is done when it is asked for. */
    public static GoogleTiming atOnce() {
        return new GoogleTiming(Duration.ZERO, Duration.ZERO, Duration.ZERO);
    }

    /** As slow as the real one in a good hour. */
    public static GoogleTiming real() {
        return new GoogleTiming(Duration.ofMillis(500), Duration.ofSeconds(4), Duration.ofSeconds(9));
    }
}
