// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.lease;

/** What a host's right to run the guest is (docs/protocol.md; the checked model has the same names). */
public enum LeaseState {
    /** There was none yet. */
    NONE,
    /** The guest may run here. */
    HELD,
    /** It could not be renewed in time: the guest stands still. It comes back if nobody followed. */
    EXPIRED,
    /** Given to the target by SWITCH: the guest will not run here again unless this host wins the next term. */
    GIVEN,
    /** Another host owns the next term. */
    LOST
}
