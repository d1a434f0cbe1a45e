// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

/** Whether all of memory is compared between the hosts, and when. */
public enum MemoryCheck {
    OFF,
    /**
     * The target keeps a hash per page as pages arrive; the source, whose memory stands still after the pause, hashes
     * everything anew once the guest runs elsewhere. The blackout does not include it. A difference is reported, not
     * prevented.
     */
    AFTER_SWITCH,
    /** Both sides hash everything while the guest is paused; a difference rolls back. The blackout includes it. */
    BEFORE_SWITCH
}
