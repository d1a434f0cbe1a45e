// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

/** Gets a target ready ahead of need. Any thread; returns at once. */
public interface TargetWarmer {
    void warm(String vmId, String reason);
}
