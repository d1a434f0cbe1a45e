// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

/** Makes a target ready for a VM that may have to move. Any thread; returns at once. */
@FunctionalInterface
public interface TargetWarmer {
    /** A fleet without anybody who plans: the event in the time line is all there is. */
    TargetWarmer NONE = (vmId, reason) -> {};

    void warm(String vmId, String reason);

    /** The VM need not leave any more: nothing asks for a target any longer. */
    default void calm(String vmId) {}
}
