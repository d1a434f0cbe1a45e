// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

/** What an agent does for a VM when a signal stands. */
public enum Reaction {
    /** Nothing. */
    IGNORE,
    /** A target is chosen and made ready, and nothing moves. */
    WARM_TARGET,
    /** Less is left to send later: the VM's memory is streamed more often. */
    RAISE_STREAMING_RATE,
    /** The VM moves now. */
    EVACUATE
}
