// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

/** Streams a VM more often, so that less is left to send. Called on {@code signal-reactions}; returns soon. */
@FunctionalInterface
public interface StreamingRate {
    /** The interval stays as the VM was described: the event in the time line is all there is. */
    StreamingRate FIXED = (vmId, reason) -> {};

    void raise(String vmId, String reason);
}
