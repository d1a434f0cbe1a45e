// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

/** Where a {@code vmm} process is, as its control socket tells (docs/protocol.md). */
enum ProcessState {
    STARTING,
    /** The guest runs here. */
    RUNNING,
    /** The user paused the guest. */
    PAUSED,
    /** Waits for a VM to arrive, or takes one over. */
    RECEIVING,
    /** The guest runs here and is being moved away. */
    EVACUATING,
    /** The guest runs elsewhere. Final. */
    HANDED_OVER,
    /** The guest came to its end by itself. Final. */
    EXITED,
    /** Something went wrong, the message says what. Final. */
    FAILED;

    boolean isFinal() {
        return this == HANDED_OVER || this == EXITED || this == FAILED;
    }
}
