// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.List;

/**
 * What every host must build alike to go on with a VM: stored with each epoch and told in the HELLO of a migration.
 * Names of taps and paths of disks are a host's own and not in it.
 *
 * @param macs of the network devices, in the order of their places on the bus
 * @param disksReadOnly one per disk, in order
 */
record VmDescription(
        int version,
        String vmId,
        long memoryBytes,
        int vcpus,
        String cpuProfile,
        List<String> macs,
        List<Boolean> disksReadOnly) {
    static final int VERSION = 1;

    static VmDescription of(VmmConfig config) {
        return new VmDescription(
                VERSION,
                config.vmId(),
                config.memoryBytes(),
                config.vcpus(),
                config.cpuProfile(),
                config.networks().stream().map(VmmConfig.Network::mac).toList(),
                config.disks().stream().map(VmmConfig.Disk::readOnly).toList());
    }

    String toJson() {
        try {
            return Json.MAPPER.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new VmmException("the VM's description cannot be encoded: " + e.getOriginalMessage(), e);
        }
    }

    /**
     * Passes when this configuration builds the VM that {@code json} describes.
     *
     * @throws VmmException naming both sides
     */
    void requireSame(String json) {
        VmDescription other;
        try {
            other = Json.MAPPER.readValue(json, VmDescription.class);
        } catch (JsonProcessingException e) {
            throw new VmmException(
                    "the VM's description is of another release (" + Json.explain(e)
                            + "); run the same release of lifeboat" + " on both hosts",
                    e);
        }
        if (!equals(other)) {
            throw new VmmException("this host was told to build " + this + ", but the VM is " + other
                    + "; start it with the same memory, vCPUs, networks and disks");
        }
    }
}
