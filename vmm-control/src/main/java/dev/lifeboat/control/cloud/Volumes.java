// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.List;
import java.util.Optional;

/** Disks of a cloud that outlive hosts. Calls return when the cloud says that it is done, or fail within the limit. */
public interface Volumes {
    /** The same token never makes two. */
    Volume create(String token, String fleet, int sizeGib, String zone, boolean multiAttach);

    Volume describe(String volumeId);

    List<Volume> all(String fleet);

    /**
     * Returns when the instance sees it. Attaching what is attached there already changes nothing.
     *
     * @throws CloudException of kind INVALID when another instance has it and it cannot be shared
     */
    Attachment attach(String volumeId, String instanceId);

    /**
     * Returns when the instance has lost it. Nothing happens when it is not attached there.
     *
     * @param force without the instance's consent: a fence against a host that does not answer, which may lose what the
     *     host has not written out
     */
    void detach(String volumeId, String instanceId, boolean force);

    /** Only a volume with the fleet's tag that is attached to nothing. */
    void delete(String volumeId);

    /** @param attachedTo instances that have it */
    record Volume(
            String id, String zone, int sizeGib, boolean multiAttach, List<String> attachedTo, Optional<String> fleet) {
        public Volume {
            attachedTo = List.copyOf(attachedTo);
        }
    }

    /**
     * How the instance recognises it; by this, and not by a device name, which the kernel chooses.
     *
     * @param serial as in {@code /sys/block/*}/serial; empty where the cloud goes by number
     * @param lun Azure's number of the disk; -1 elsewhere
     */
    record Attachment(String volumeId, String instanceId, String serial, int lun) {}
}
