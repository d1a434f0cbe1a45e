// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.lease;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * One host's right to run one guest: arithmetic only, the time is passed in, as {@link System#nanoTime} of this host.
 * Thread-safe.
 *
 * <p>Why it is safe: a right that was renewed by a question asked at time {@code t} ("has somebody created the record of the
 * next term?", answered with no) ends at {@code t + lease} in real time at the latest. Who follows created that record
 * after {@code t}, and lets a whole lease pass afterwards. A right that is handed on ends when it would have ended here.
 */
final class Lease {
    /** A question to the registry that is under way. */
    record Renewal(long term, long generation, long startedNs) {}

    private final LeaseTerms terms;
    private LeaseState state = LeaseState.NONE;
    /** Whether the term is this host's own: a right that was given by another host cannot be renewed. */
    private boolean own;

    private long term;
    private long endNs;
    /** Changes with every right, so that a late answer does not touch a new one. */
    private long generation;

    private long givenEndNs;

    Lease(LeaseTerms terms) {
        this.terms = terms;
    }

    synchronized LeaseState state(long nowNs) {
        return state == LeaseState.HELD && nowNs - endNs >= 0 ? LeaseState.EXPIRED : state;
    }

    synchronized boolean mayRun(long nowNs) {
        return state(nowNs) == LeaseState.HELD;
    }

    /** Nanoseconds that the guest may still run. */
    synchronized long leftNs(long nowNs) {
        return mayRun(nowNs) ? endNs - nowNs : 0;
    }

    /**
     * This host won a term.
     *
     * @param startedNs before the first try of the claim: a later one may only have found what the first created, and
     *     somebody may have followed in between
     */
    synchronized void take(long wonTerm, long startedNs) {
        generation++;
        term = wonTerm;
        own = true;
        state = LeaseState.HELD;
        endNs = startedNs + terms.holderNs();
    }

    /**
     * The source gave its right.
     *
     * @param readyNs before READY was sent: the source answered to it, so its statement was made later
     * @param grantNs of real time that the right had left when the source stated it
     */
    synchronized void grant(long readyNs, long grantNs) {
        generation++;
        own = false;
        state = LeaseState.HELD;
        endNs = readyNs + terms.holderNs(grantNs);
    }

    /** Begins a renewal; empty when there is nothing to renew. */
    synchronized Optional<Renewal> begin(long nowNs) {
        return own && state == LeaseState.HELD ? Optional.of(new Renewal(term, generation, nowNs)) : Optional.empty();
    }

    /** Nobody had followed when the question was answered. */
    synchronized void renewed(Renewal renewal) {
        if (renewal.generation() == generation && state == LeaseState.HELD) {
            long end = renewal.startedNs() + terms.holderNs();
            endNs = end - endNs > 0 ? end : endNs;
        }
    }

    /** Somebody has followed; returns whether that ends this host's right (and not one that was over anyway). */
    synchronized boolean followed(Renewal renewal) {
        if (renewal.generation() != generation || state != LeaseState.HELD) {
            return false;
        }
        lose();
        return true;
    }

    synchronized void lose() {
        generation++;
        state = LeaseState.LOST;
    }

    /**
     * Gives the right away, for good.
     *
     * @return the nanoseconds of real time that it lasts at least for the other side; empty when less than
     *     {@code leastNs} are left, and then it stays here
     */
    synchronized OptionalLong give(long nowNs, long leastNs) {
        long left = own ? leftNs(nowNs) : 0;
        if (left < Math.max(1, leastNs)) {
            return OptionalLong.empty();
        }
        generation++;
        state = LeaseState.GIVEN;
        givenEndNs = nowNs + terms.waiterNs(left);
        return OptionalLong.of(left);
    }

    /** After {@link #give}: nanoseconds until whoever got the right can no longer run by it. */
    synchronized long givenLeftNs(long nowNs) {
        return state == LeaseState.GIVEN ? Math.max(0, givenEndNs - nowNs) : 0;
    }
}
