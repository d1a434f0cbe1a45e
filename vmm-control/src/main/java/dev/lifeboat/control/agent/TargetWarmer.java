// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

/** Makes a target ready for a VM that may have to move. Any thread; returns at once. */
@FunctionalInterface
public interface TargetWarmer {
    /** A fleet without anybody who plans: the event in the time line is all there is. */
    TargetWarmer NONE = (vmId, reason) -> {};

    void warm(String vmId, String reason);
}
