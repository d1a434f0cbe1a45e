// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.util.Context;
import com.azure.resourcemanager.compute.fluent.models.DiskInner;
import com.azure.resourcemanager.compute.fluent.models.VirtualMachineInner;
import com.azure.resourcemanager.compute.models.AttachDetachDataDisksRequest;
import com.azure.resourcemanager.compute.models.CachingTypes;
import com.azure.resourcemanager.compute.models.CreationData;
import com.azure.resourcemanager.compute.models.DataDisk;
import com.azure.resourcemanager.compute.models.DataDisksToAttach;
import com.azure.resourcemanager.compute.models.DataDisksToDetach;
import com.azure.resourcemanager.compute.models.DiskCreateOption;
import com.azure.resourcemanager.compute.models.DiskDetachOptionTypes;
import com.azure.resourcemanager.compute.models.DiskSku;
import com.azure.resourcemanager.compute.models.DiskStorageAccountTypes;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.Volumes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Managed disks of one resource group; a volume's id is the disk's name. Any thread. */
final class AzureVolumes implements Volumes {
    /** Source and target of a hand-over. */
    private static final int SHARES = 2;

    private final Arm arm;
    private final AzureMarket market;

    AzureVolumes(Arm arm, AzureMarket market) {
        this.arm = arm;
        this.market = market;
    }

    @Override
    public Volume create(String token, String fleet, int sizeGib, String zone, boolean multiAttach) {
        String name = Tags.resourceName(token);
        Optional<DiskInner> old = disk(name);
        if (old.isEmpty()) {
            DiskInner wanted = new DiskInner()
                    .withLocation(arm.settings().location())
                    .withTags(Tags.of(fleet, token))
                    .withSku(new DiskSku()
                            .withName(DiskStorageAccountTypes.fromString(
                                    arm.settings().diskSku())))
                    .withCreationData(new CreationData().withCreateOption(DiskCreateOption.EMPTY))
                    .withDiskSizeGB(sizeGib);
            if (!zone.isBlank()) {
                wanted.withZones(List.of(zone));
            }
            if (multiAttach) {
                wanted.withMaxShares(SHARES);
            }
            // The same PUT again changes nothing, so that an unclear one is repeated without looking.
            arm.change(
                    Permission.CREATE_DISK,
                    "create disk " + name,
                    () -> arm.compute()
                            .getDisks()
                            .beginCreateOrUpdate(arm.settings().group(), name, wanted, Context.NONE));
        }
        Volume made = describe(name);
        DiskInner there = existing(name);
        if (!Tags.value(there.tags(), Tags.TOKEN).equals(token)
                || made.sizeGib() != sizeGib
                || made.multiAttach() != multiAttach
                || !made.zone().equals(zone)) {
            throw new CloudException(
                    Kind.INVALID,
                    "azure: disk " + name + " is there already and different (" + made.sizeGib() + " GiB, zone "
                            + made.zone() + ", shared " + made.multiAttach() + "); use another token");
        }
        return made;
    }

    @Override
    public Volume describe(String volumeId) {
        return volume(existing(volumeId));
    }

    @Override
    public List<Volume> all(String fleet) {
        return arm.read(
                Permission.READ_DISK,
                "list disks of fleet " + fleet,
                () -> arm
                        .compute()
                        .getDisks()
                        .listByResourceGroup(arm.settings().group())
                        .stream()
                        .filter(disk -> Tags.value(disk.tags(), Tags.FLEET).equals(fleet))
                        .map(AzureVolumes::volume)
                        .toList());
    }

    @Override
    public Attachment attach(String volumeId, String instanceId) {
        VirtualMachineInner machine = machine(volumeId, instanceId);
        Optional<DataDisk> already = dataDisk(machine, volumeId);
        if (already.isPresent()) {
            return new Attachment(volumeId, instanceId, "", already.get().lun());
        }
        DiskInner disk = existing(volumeId);
        Volume volume = volume(disk);
        if (!volume.attachedTo().isEmpty() && !volume.multiAttach()) {
            throw new CloudException(
                    Kind.INVALID,
                    "azure: disk " + volumeId + " cannot be attached to " + instanceId + ": "
                            + volume.attachedTo().get(0) + " has it and it is not shared; detach it there first");
        }
        String attempted = "attach disk " + volumeId + " to " + instanceId;
        DataDisksToAttach one = new DataDisksToAttach()
                .withDiskId(disk.id())
                // Chosen here and not by Azure, so that the SDK's repetition of a lost request asks for the same.
                .withLun(freeNumber(machine))
                // What a host has cached would be lost with it, and a shared disk allows no cache.
                .withCaching(CachingTypes.NONE);
        change(
                Permission.ATTACH_DISK,
                attempted,
                instanceId,
                new AttachDetachDataDisksRequest().withDataDisksToAttach(List.of(one)));
        DataDisk attached = dataDisk(machine(volumeId, instanceId), volumeId)
                .orElseThrow(() -> new CloudException(
                        Kind.UNCLEAR,
                        "azure: done, but not to be seen: " + attempted + "; look at the disk before using it"));
        return new Attachment(volumeId, instanceId, "", attached.lun());
    }

    @Override
    public void detach(String volumeId, String instanceId, boolean force) {
        Optional<VirtualMachineInner> machine = market.machine(instanceId);
        Optional<DataDisk> there = machine.flatMap(each -> dataDisk(each, volumeId));
        if (there.isEmpty()) {
            return;
        }
        String attempted = "detach disk " + volumeId + " from " + instanceId;
        DataDisksToDetach one =
                new DataDisksToDetach().withDiskId(there.get().managedDisk().id());
        if (force) {
            one.withDetachOption(DiskDetachOptionTypes.FORCE_DETACH);
        }
        change(
                Permission.ATTACH_DISK,
                attempted,
                instanceId,
                new AttachDetachDataDisksRequest().withDataDisksToDetach(List.of(one)));
    }

    private void change(
            Permission permission, String attempted, String instanceId, AttachDetachDataDisksRequest request) {
        arm.change(
                permission,
                attempted,
                () -> arm.compute()
                        .getVirtualMachines()
                        .beginAttachDetachDataDisks(arm.settings().group(), instanceId, request, Context.NONE));
    }

    @Override
    public void delete(String volumeId) {
        Optional<DiskInner> disk = disk(volumeId);
        if (disk.isEmpty()) {
            return;
        }
        Volume volume = volume(disk.get());
        if (volume.fleet().isEmpty()) {
            throw new CloudException(
                    Kind.INVALID,
                    "azure: disk " + volumeId + " is not deleted: it has no tag " + Tags.FLEET
                            + ", so that it belongs to somebody else");
        }
        if (!volume.attachedTo().isEmpty()) {
            throw new CloudException(
                    Kind.INVALID,
                    "azure: disk " + volumeId + " is not deleted: " + volume.attachedTo() + " has it; detach it first");
        }
        arm.change(
                Permission.DELETE_DISK,
                "delete disk " + volumeId,
                () -> arm.compute().getDisks().beginDelete(arm.settings().group(), volumeId, Context.NONE));
    }

    private VirtualMachineInner machine(String volumeId, String instanceId) {
        return market.machine(instanceId)
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND,
                        "azure: no VM " + instanceId + " to have disk " + volumeId + "; it was deleted"));
    }

    private static int freeNumber(VirtualMachineInner machine) {
        List<DataDisk> all = machine.storageProfile().dataDisks();
        List<Integer> taken = (all == null ? List.<DataDisk>of() : all)
                .stream().map(DataDisk::lun).toList();
        int lun = 0;
        while (taken.contains(lun)) {
            lun++;
        }
        return lun;
    }

    private static Optional<DataDisk> dataDisk(VirtualMachineInner machine, String volumeId) {
        List<DataDisk> all = machine.storageProfile().dataDisks();
        return (all == null ? List.<DataDisk>of() : all)
                .stream()
                        .filter(each ->
                                each.managedDisk() != null && each.managedDisk().id() != null)
                        .filter(each -> Arm.name(each.managedDisk().id()).equalsIgnoreCase(volumeId))
                        .findFirst();
    }

    private Optional<DiskInner> disk(String name) {
        return arm.find(
                Permission.READ_DISK,
                "read disk " + name,
                () -> arm.compute().getDisks().getByResourceGroup(arm.settings().group(), name));
    }

    private DiskInner existing(String name) {
        return disk(name)
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND,
                        "azure: no disk " + name + " in resource group "
                                + arm.settings().group() + "; look at its name"));
    }

    private static Volume volume(DiskInner disk) {
        List<String> holders = new ArrayList<>();
        if (disk.managedBy() != null) {
            holders.add(Arm.name(disk.managedBy()));
        }
        if (disk.managedByExtended() != null) {
            disk.managedByExtended().stream()
                    .map(Arm::name)
                    .filter(name -> !holders.contains(name))
                    .forEach(holders::add);
        }
        return new Volume(
                disk.name(),
                disk.zones() == null || disk.zones().isEmpty()
                        ? ""
                        : disk.zones().get(0),
                disk.diskSizeGB() == null ? 0 : disk.diskSizeGB(),
                disk.maxShares() != null && disk.maxShares() > 1,
                holders,
                Optional.of(Tags.value(disk.tags(), Tags.FLEET)).filter(fleet -> !fleet.isEmpty()));
    }
}
