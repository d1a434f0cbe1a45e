// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.util.List;

/**
 * What streaming and evacuation need of a running VM; the monitor implements it. Called by one streaming thread at a
 * time.
 */
public interface LiveVm {
    GuestMemory memory();

    /** Guest writes, as KVM saw them. Writes of our own devices are in {@link GuestMemory#ownWrites()}. */
    DirtyLog dirtyLog();

    /** The disks that take part in every cut: those the guest can write, in an order that is the same on every host. */
    default List<StreamedDisk> disks() {
        return List.of();
    }

    /** Whether the guest keeps its processors as busy as one does that boots, since this was last asked. */
    default boolean isBusy() {
        return false;
    }

    /**
     * Stops every vCPU outside guest mode and drains the devices: on return nothing writes guest memory or a disk, and
     * no I/O is in flight. Idempotent.
     */
    void pause();

    /** Lets the vCPUs and devices go on. Idempotent. */
    void resume();

    /**
     * Device, vCPU and VM state; only while paused. The bytes are opaque to streaming, versioned by the monitor.
     * Saving may itself write guest memory (a device completing its ring); harvest dirty pages after this call.
     */
    byte[] saveState();
}
