// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.stream.wire.WireLimits;

/**
 * Limits of an evacuation (invariant I9: every wait has one). Each is also cut short by the evacuation's deadline.
 *
 * @param helloMs for the target to answer HELLO, checks included
 * @param suspendMs for streaming to stop; a commit that hangs is not waited for longer
 * @param roundMs for one round of pages to be acknowledged
 * @param hydrateMs for the target to fill its memory from the store
 * @param readyMs from STATE to READY, while the guest stands still
 * @param switchMs from SWITCH to COMMITTED; then the source claims the VM itself
 * @param ownershipMs to find out who owns the VM when the registry does not answer
 * @param targetBlackoutMs the predicted blackout at which no further round is made
 * @param switchCostMs the part of a blackout that does not depend on pages; a first guess for the planner
 * @param maxRounds of pre-copy
 * @param forwardQuietMs forwarding ends when no frame came for so long
 * @param forwardMinMs but not before
 * @param forwardMaxMs and not after
 * @param memoryCheck see {@link MemoryCheck}
 */
public record EvacuationConfig(
        WireLimits wire,
        int helloMs,
        int suspendMs,
        int roundMs,
        int hydrateMs,
        int readyMs,
        int switchMs,
        int ownershipMs,
        int targetBlackoutMs,
        int switchCostMs,
        int maxRounds,
        int forwardQuietMs,
        int forwardMinMs,
        int forwardMaxMs,
        MemoryCheck memoryCheck) {

    /** For hosts in one data centre, emulated ones included. */
    public static EvacuationConfig defaults() {
        return new EvacuationConfig(
                WireLimits.defaults(),
                15_000,
                5_000,
                60_000,
                300_000,
                15_000,
                10_000,
                30_000,
                10,
                5,
                30,
                500,
                1_000,
                5_000,
                MemoryCheck.OFF);
    }

    public EvacuationConfig withMemoryCheck(MemoryCheck check) {
        return new EvacuationConfig(
                wire,
                helloMs,
                suspendMs,
                roundMs,
                hydrateMs,
                readyMs,
                switchMs,
                ownershipMs,
                targetBlackoutMs,
                switchCostMs,
                maxRounds,
                forwardQuietMs,
                forwardMinMs,
                forwardMaxMs,
                check);
    }
}
