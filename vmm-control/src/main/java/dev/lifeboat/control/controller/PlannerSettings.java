// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.TargetMarket;
import java.util.Map;
import java.util.Optional;

/**
 * What the planner may spend and how long things take.
 *
 * @param fleet tag of all instances
 * @param maxHosts bought hosts at a time, running or stopped; no more are bought, whatever comes
 * @param maxDollarsPerHour of all of them
 * @param spares running hosts that are kept free
 * @param stopped hosts that are kept stopped, with warm disks
 * @param leastMemoryMiB of a bought host, so that VMs can share it
 * @param leastVcpus of a bought host
 * @param noticeMillis that the cloud usually gives
 * @param usableMillis from asking for a host to an agent that answers
 * @param idleMillis after which a host that nobody wants is stopped or released
 * @param orphanMillis after which an instance of the fleet that is in no record, and does not answer, is released
 * @param riskyMoves a VM that has moved so often within {@code riskyMoveMillis} has had its share of spot hosts: its next
 *     target is an on-demand one
 * @param prices in dollars an hour of sizes whose price the cloud does not say, by {@code SIZE} or {@code SIZE SPOT}
 */
record PlannerSettings(
        String fleet,
        int maxHosts,
        double maxDollarsPerHour,
        int spares,
        int stopped,
        int leastMemoryMiB,
        int leastVcpus,
        long noticeMillis,
        long usableMillis,
        long idleMillis,
        long orphanMillis,
        int riskyMoves,
        long riskyMoveMillis,
        Map<String, Double> prices) {

    /** @return dollars an hour, as the settings say */
    Optional<Double> price(String size, TargetMarket.PriceClass priceClass) {
        return Optional.ofNullable(prices.get(size + " " + priceClass)).or(() -> Optional.ofNullable(prices.get(size)));
    }

    /** Typical ones: seconds of notice, and seconds until a host is of use, as users of the clouds report them. */
    static long noticeMillis(CloudKind kind) {
        return switch (kind) {
            case AWS -> 120_000;
            case AZURE -> 30_000;
            // With preemptionNoticeDuration, which the program asks for; without it 30 s.
            case GOOGLE -> 120_000;
        };
    }

    static long usableMillis(CloudKind kind) {
        return switch (kind) {
            // About 26 s to a login, and the start of a JVM.
            case AWS -> 40_000;
            // Creation is polled for, tens of seconds to minutes.
            case AZURE -> 120_000;
            case GOOGLE -> 45_000;
        };
    }

    /**
     * Whether a target has to be there before the notice: buying one takes the whole of it, or so much that a second try
     * would be too late.
     */
    boolean keepWarm() {
        return noticeMillis < 2 * usableMillis;
    }

    /** Within it a purchase that fails cannot be made up for: spot and on-demand are asked for at once. */
    long nearMillis() {
        return 2 * usableMillis;
    }

    /** A host that has not come by then is given back. */
    long bootLimitMillis() {
        return Math.max(600_000, 5 * usableMillis);
    }
}
