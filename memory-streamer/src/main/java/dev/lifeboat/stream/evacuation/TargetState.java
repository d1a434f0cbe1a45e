// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

/** Where the target is (docs/protocol.md). */
public enum TargetState {
    /** Listens. */
    EMPTY,
    /** Fills memory from the store; takes pages from the source at the same time. */
    HYDRATING,
    /** The store's part is there; takes pages from the source. */
    RECEIVING,
    /** Everything is there and the VM is built; it needs the ownership. */
    READY,
    /** Lease mode: the guest runs here by the right that the source gave, and the claim of the term is under way. */
    GRANTED,
    /** Owns the VM. */
    OWNER,
    /** The guest runs here. */
    RUNNING,
    /** The source is not needed any more. */
    COMPLETE,
    /** Gave up before it owned the VM; it will not run here (any more). */
    FAILED
}
