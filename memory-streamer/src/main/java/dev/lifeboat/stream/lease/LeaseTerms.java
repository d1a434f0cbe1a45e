// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.lease;

import dev.lifeboat.store.OwnerRecord;
import java.util.concurrent.TimeUnit;

/**
 * How long a lease lasts, and how much of it clocks and threads may eat. Only durations of one host's own monotonic clock are
 * ever used; no clocks are compared.
 *
 * @param leaseMillis in real time: no right outlives the creation of the next term's record by more
 * @param driftPpm how far the rate of any host's monotonic clock may be off, in millionths
 * @param marginMillis for the thread that stops the guest to get a processor, and for the vCPUs to come out
 */
public record LeaseTerms(long leaseMillis, int driftPpm, long marginMillis) {
    /**
     * One per cent. The kernel slews its clock by at most 500 millionths, and crystals are off by 100 at most: the rest
     * is for virtual machines as hosts.
     */
    public static final int DRIFT_PPM = 10_000;

    /** Below it the renewals of a store with slow moments would not come in time. */
    public static final long SHORTEST_MILLIS = 2_000;

    private static final double MILLION = 1e6;

    public LeaseTerms {
        if (leaseMillis < 1
                || driftPpm < 0
                || driftPpm > 100_000
                || marginMillis < 0
                || marginMillis * 2 > leaseMillis) {
            throw new IllegalArgumentException("no lease: " + leaseMillis + " ms with a margin of " + marginMillis
                    + " ms and " + driftPpm + " millionths of drift");
        }
    }

    /** With the usual drift and a margin of a twentieth: half a second of ten. */
    public static LeaseTerms of(long leaseMillis) {
        return new LeaseTerms(leaseMillis, DRIFT_PPM, leaseMillis / 20);
    }

    /** How long who holds a right over {@code nanos} of real time may run, by its own clock. */
    long holderNs(long nanos) {
        return (long) (nanos * (1 - driftPpm / MILLION)) - TimeUnit.MILLISECONDS.toNanos(marginMillis);
    }

    long holderNs() {
        return holderNs(TimeUnit.MILLISECONDS.toNanos(leaseMillis));
    }

    /** How long one waits, by its own clock, so that {@code nanos} have passed on any other clock and in real time. */
    long waiterNs(long nanos) {
        return (long) Math.ceil(nanos * (1 + driftPpm / MILLION) / (1 - driftPpm / MILLION));
    }

    /**
     * For who takes a VM over from the store: how long after its claim was answered every right under {@code last} or an
     * earlier term is over. 0 after an owner in strict mode.
     */
    public static long waitAfterNs(OwnerRecord last) {
        return new LeaseTerms(Math.max(1, last.leaseMillis()), DRIFT_PPM, 0)
                .waiterNs(TimeUnit.MILLISECONDS.toNanos(last.leaseMillis()));
    }
}
