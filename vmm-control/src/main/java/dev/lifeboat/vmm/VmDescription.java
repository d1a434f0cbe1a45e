// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;

/**
 * What every host must build alike to go on with a VM: stored with each epoch and told in the HELLO of a migration.
 * Names of taps and paths of disks are a host's own and not in it.
 *
 * @param macs of the network devices, in the order of their places on the bus
 * @param disks in order
 */
record VmDescription(
        int version, String vmId, long memoryBytes, int vcpus, String cpuProfile, List<String> macs, List<Disk> disks) {
    static final int VERSION = 2;

    /** @param baseImage by content, see {@code BaseImages} */
    record Disk(boolean readOnly, long sizeBytes, Optional<String> baseImage) {}

    static VmDescription of(VmmConfig config, List<Disk> disks) {
        return new VmDescription(
                VERSION,
                config.vmId(),
                config.memoryBytes(),
                config.vcpus(),
                config.cpuProfile(),
                config.networks().stream().map(VmmConfig.Network::mac).toList(),
                disks);
    }

    String toJson() {
        try {
            return Json.MAPPER.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new VmmException("the VM's description cannot be encoded: " + e.getOriginalMessage(), e);
        }
    }

    /**
     * What {@code json} describes, when this configuration can build it. What was written before disks could travel is
     * read too, unless it has a disk.
     *
     * @throws VmmException naming both sides
     */
    static VmDescription requireFitting(String json, VmmConfig config) {
        VmDescription vm;
        try {
            ObjectNode tree = Json.MAPPER.readValue(json, ObjectNode.class);
            if (tree.path("version").asInt() == 1 && tree.path("disksReadOnly").isEmpty()) {
                tree.put("version", VERSION).set("disks", tree.remove("disksReadOnly"));
            }
            vm = Json.MAPPER.treeToValue(tree, VmDescription.class);
        } catch (JsonProcessingException e) {
            throw new VmmException(
                    "the VM's description is of another release (" + Json.explain(e)
                            + "); run the same release of lifeboat on both hosts",
                    e);
        }
        VmDescription here = of(config, vm.disks());
        boolean sameDisks = vm.disks().size() == config.disks().size();
        for (int i = 0; sameDisks && i < vm.disks().size(); i++) {
            sameDisks = fits(vm.disks().get(i), config.disks().get(i));
        }
        if (!here.equals(vm) || !sameDisks) {
            throw new VmmException("this host was told to build " + here + " with the disks " + config.disks()
                    + ", but the VM is " + vm + "; start it with the same memory, vCPUs, networks and disks");
        }
        return vm;
    }

    /** The size of a file is known where it lies only, and the content of an image nowhere but in its name. */
    private static boolean fits(Disk disk, VmmConfig.Disk wish) {
        return disk.readOnly() == wish.readOnly()
                && wish.sizeBytes()
                        .map(size -> size == disk.sizeBytes())
                        .orElse(disk.baseImage().isEmpty())
                && wish.base().isPresent() == disk.baseImage().isPresent();
    }
}
