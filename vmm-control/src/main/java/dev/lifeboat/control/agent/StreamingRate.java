// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

/** Streams a VM more often, so that less is left to send. Called on {@code signal-reactions}; returns soon. */
@FunctionalInterface
public interface StreamingRate {
    void raise(String vmId, String reason);

    /** As it was described again: nothing asks for more any longer. */
    default void lower(String vmId) {}
}
