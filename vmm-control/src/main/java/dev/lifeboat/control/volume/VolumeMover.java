// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.vmm.VmmConfig;

/**
 * Attaches volumes to this host and takes them off it: a cloud, or whoever holds the plugs. Calls return when it is done, or
 * fail with a {@link ControlException} about when the limit is over. Any thread.
 */
public interface VolumeMover {
    /**
     * Returns when this host has it. Attaching what is attached here changes nothing.
     *
     * @return the serial number that the disk shows here
     */
    String attach(VmmConfig.Volume volume, long limitMs);

    /** Returns when this host has lost it. Nothing happens when it is not attached here. */
    void detach(VmmConfig.Volume volume, long limitMs);

    /**
     * Takes it away from every other host, without asking that host. To be used only by who owns the volume's VM: then nobody
     * elsewhere has anything to write.
     */
    void detachElsewhere(VmmConfig.Volume volume, long limitMs);
}
