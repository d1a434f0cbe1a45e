// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

/** Where the source is (docs/protocol.md). From every state before {@link #SWITCHING} a failure leads back to RUNNING. */
public enum SourceState {
    /** No evacuation; the VM runs here and is streamed. */
    RUNNING,
    /** Connects; rounds of dirty pages go to the target while the guest runs. */
    EVACUATING,
    /** The guest is paused; the last pages and the state go out. */
    PAUSED,
    /** The target may claim the next term; who of both owns the VM is decided by the registry alone. */
    SWITCHING,
    /** The target owns the VM; it will never run here again. */
    HANDED_OVER,
    /** Frames that still reach this host follow the guest. */
    FORWARDING,
    /** Nothing is left to do here. */
    GONE
}
