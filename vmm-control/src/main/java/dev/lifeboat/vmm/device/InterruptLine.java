// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** A device's interrupt; an edge on an irqfd in the monitor, a counter in device tests. Any thread may raise it. */
@FunctionalInterface
public interface InterruptLine {
    void raise();
}
