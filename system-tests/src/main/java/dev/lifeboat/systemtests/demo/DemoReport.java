// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

/**
 * What {@code demo --json} writes. Milliseconds and bytes; -1 for what was not reached.
 *
 * @param noticeToSwitchMs from the announcement in the metadata service to the guest's first instruction on its new host
 * @param noticeToSourceFreeMs to the moment the old host is not needed any more
 * @param blackoutMs from the guest's last instruction on the old host to the first on the new one, measured by the source
 * @param bytesAfterNotice sent by the source
 * @param bytesStreamedBefore to the store, until the notice
 * @param longestClientStallMs longest time the client waited for an answer, in the whole run
 * @param targetAcquireMs from the question to the cloud to the answer of the new host's agent; -1 where no host is bought
 * @param warningUsedMs of the time that the cloud gives, until the old host is not needed any more
 * @param deadlineMarginMs what was left then
 * @param result {@code ok} or {@code failed}
 */
public record DemoReport(
        long guestMemoryBytes,
        double noticeToSwitchMs,
        double noticeToSourceFreeMs,
        double blackoutMs,
        long bytesAfterNotice,
        long bytesStreamedBefore,
        long epochs,
        double epochPauseMsP50,
        double epochPauseMsP99,
        long clientOperations,
        long clientErrors,
        long clientReconnects,
        long lostWrites,
        long rstPackets,
        long longestClientStallMs,
        boolean memoryHashEqual,
        long targetAcquireMs,
        double warningUsedMs,
        double deadlineMarginMs,
        String result) {}
