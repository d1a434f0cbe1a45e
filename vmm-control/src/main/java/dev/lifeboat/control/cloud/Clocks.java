// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The two clocks of a host, so that tests and replays own them: clouds speak of wall time, waiting is done on the
 * monotonic clock, which nobody sets. Thread-safe when its parts are.
 *
 * @param wallMillis as {@link System#currentTimeMillis}
 * @param nanos as {@link System#nanoTime}
 */
public record Clocks(LongSupplier wallMillis, LongSupplier nanos) {
    public static final Clocks SYSTEM = new Clocks(System::currentTimeMillis, System::nanoTime);

    /** A Date header has whole seconds and the answer takes time to arrive: smaller differences mean nothing. */
    private static final long SKEW_NOISE_MS = 2_000;

    /**
     * The cloud's clock minus this host's.
     *
     * @param dateMillis of the answer's Date header; 0 when it has none
     * @return 0 when within what a Date header can tell
     */
    public long skewMillis(long dateMillis) {
        long skew = dateMillis == 0 ? 0 : dateMillis - wallMillis.getAsLong();
        return Math.abs(skew) <= SKEW_NOISE_MS ? 0 : skew;
    }

    /** A moment of the cloud's wall clock on this host's monotonic one. */
    public long toNanos(Instant cloudTime, long skewMillis) {
        return inMillis(cloudTime.toEpochMilli() - skewMillis - wallMillis.getAsLong());
    }

    /** The monotonic clock {@code ms} from now. */
    public long inMillis(long ms) {
        return nanos.getAsLong() + TimeUnit.MILLISECONDS.toNanos(ms);
    }

    /** From now until {@code deadlineNs}; negative when that is past. */
    public long leftMillis(long deadlineNs) {
        return TimeUnit.NANOSECONDS.toMillis(deadlineNs - nanos.getAsLong());
    }
}
