// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.vmm.VmmConfig;

/** The file systems of attached volumes on this host. Any thread; one volume is used by one thread at a time. */
public interface HostDisks {
    boolean isMounted(VmmConfig.Volume volume);

    /**
     * Waits for the disk to appear, checks that it is this volume, and mounts it. Nothing is written to a disk that is not.
     *
     * @param serial that the disk shows
     * @param mayFormat whether a blank disk becomes this volume; else it is refused
     * @throws ControlException when it does not appear, carries foreign data or cannot be mounted
     */
    void mount(VmmConfig.Volume volume, String serial, boolean mayFormat, long limitMs) throws InterruptedException;

    /**
     * Writes everything out and unmounts; nothing happens when it is not mounted.
     *
     * @throws ControlException when it is still in use when the limit is over
     */
    void unmount(VmmConfig.Volume volume, long limitMs) throws InterruptedException;
}
