// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

/**
 * How an evacuation that moved the VM went, as the source saw it.
 *
 * @param noticeToSwitchMs from the call to COMMITTED
 * @param noticeToSourceFreeMs from the call to {@link SourceState#GONE}
 * @param blackoutMs from the start of the pause to COMMITTED, both on the source's clock: an upper bound, it contains
 *     one message's way back; -1 when the target won but its COMMITTED never came
 * @param pauseMs part of the blackout: to stop the vCPUs
 * @param stateMs part: to save the state
 * @param lastPagesMs part: to harvest and send the last pages and the state
 * @param applyMs part, target's clock: from STATE's arrival to the start of the build
 * @param buildMs part, target's clock: to build the VM
 * @param claimMs part, target's clock: to win the ownership
 * @param resumeMs part, target's clock: to resume
 * @param bytesAfterNotice frames sent by the source, headers and state included, before encryption
 * @param pagesAfterNotice sent by the source, repetitions included
 * @param lastPages sent while the guest was paused
 * @param hydratedFromEpoch 0 when the store did not help
 * @param hydrateMs target's clock
 * @param memoryCheck what was compared
 * @param memoryHashEqual false when it was not compared
 * @param hashMs source's time to hash all of memory; part of the blackout only with BEFORE_SWITCH
 * @param framesForwarded Ethernet frames that followed the guest
 * @param newTerm under which the target owns the VM
 */
public record EvacuationReport(
        double noticeToSwitchMs,
        double noticeToSourceFreeMs,
        double blackoutMs,
        double pauseMs,
        double stateMs,
        double lastPagesMs,
        double applyMs,
        double buildMs,
        double claimMs,
        double resumeMs,
        long bytesAfterNotice,
        long pagesAfterNotice,
        long lastPages,
        int rounds,
        long hydratedFromEpoch,
        double hydrateMs,
        MemoryCheck memoryCheck,
        boolean memoryHashEqual,
        double hashMs,
        long framesForwarded,
        String targetHost,
        long newTerm) {}
