// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.cloud.compute.v1.AttachDiskInstanceRequest;
import com.google.cloud.compute.v1.AttachedDisk;
import com.google.cloud.compute.v1.DeleteDiskRequest;
import com.google.cloud.compute.v1.DetachDiskInstanceRequest;
import com.google.cloud.compute.v1.Disk;
import com.google.cloud.compute.v1.InsertDiskRequest;
import com.google.cloud.compute.v1.ListDisksRequest;
import com.google.cloud.compute.v1.Operation;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.Volumes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Zonal persistent disks and Hyperdisks; their ids are {@code ZONE/NAME}. Any thread. */
final class GoogleVolumes implements Volumes {
    private static final String SHARED = "READ_WRITE_MANY";

    private final GoogleCalls calls;
    private final GoogleSettings settings;

    GoogleVolumes(GoogleCalls calls) {
        this.calls = calls;
        settings = calls.settings();
    }

    @Override
    public Volume create(String token, String fleet, int sizeGib, String zone, boolean multiAttach) {
        GoogleId id = new GoogleId(zone, "lifeboat-" + GoogleInsert.label(token));
        String type = multiAttach ? settings.sharedDiskType() : settings.diskType();
        if (multiAttach && !type.startsWith("hyperdisk-")) {
            throw new CloudException(
                    Kind.INVALID, type + " cannot be shared by writers: set \"sharedDiskType\" to a hyperdisk type");
        }
        Disk.Builder disk = Disk.newBuilder()
                .setName(id.name())
                .setSizeGb(sizeGib)
                .setType("zones/" + zone + "/diskTypes/" + type)
                .putLabels(GoogleInsert.FLEET, GoogleInsert.label(fleet))
                .putLabels(GoogleInsert.TOKEN, GoogleInsert.label(token));
        if (multiAttach) {
            disk.setAccessMode(SHARED);
        }
        InsertDiskRequest request = InsertDiskRequest.newBuilder()
                .setProject(settings.project())
                .setZone(zone)
                .setRequestId(GoogleCalls.requestId("disk " + token + " " + zone))
                .setDiskResource(disk)
                .build();
        String attempted = "make volume " + id;
        if (find(id).isEmpty()) {
            Operation begun;
            try {
                begun = insert(attempted, request);
            } catch (CloudException e) {
                if (e.kind() != Kind.UNCLEAR) {
                    throw e;
                }
                // The same request id: the cloud answers with the operation that there may be.
                begun = insert(attempted, request);
            }
            calls.await(attempted, GooglePermission.DISKS_CREATE, begun);
        }
        return describe(id.toString());
    }

    private Operation insert(String attempted, InsertDiskRequest request) {
        return calls.change(
                attempted,
                GooglePermission.DISKS_CREATE,
                c -> c.disks.insertCallable().call(request));
    }

    @Override
    public Volume describe(String volumeId) {
        return view(disk(GoogleId.of(volumeId)));
    }

    private Disk disk(GoogleId id) {
        return calls.read(
                "describe volume " + id,
                GooglePermission.DISKS_GET,
                c -> c.disks.get(settings.project(), id.zone(), id.name()));
    }

    private Optional<Disk> find(GoogleId id) {
        try {
            return Optional.of(disk(id));
        } catch (CloudException e) {
            if (e.kind() == Kind.NOT_FOUND) {
                return Optional.empty();
            }
            throw e;
        }
    }

    @Override
    public List<Volume> all(String fleet) {
        List<Volume> found = new ArrayList<>();
        for (String zone : settings.zones()) {
            calls.read("list volumes of " + zone, GooglePermission.DISKS_LIST, c -> {
                ListDisksRequest request = ListDisksRequest.newBuilder()
                        .setProject(settings.project())
                        .setZone(zone)
                        .setFilter("labels." + GoogleInsert.FLEET + "=\"" + GoogleInsert.label(fleet) + "\"")
                        .build();
                c.disks.list(request).iterateAll().forEach(disk -> found.add(view(disk)));
                return found;
            });
        }
        return found;
    }

    @Override
    public Attachment attach(String volumeId, String instanceId) {
        GoogleId volume = GoogleId.of(volumeId);
        GoogleId instance = GoogleId.of(instanceId);
        String attempted = "attach volume " + volume + " to " + instance;
        if (!volume.zone().equals(instance.zone())) {
            throw new CloudException(
                    Kind.INVALID,
                    "cannot " + attempted + ": they are in different zones. Choose a host in " + volume.zone());
        }
        Disk disk = disk(volume);
        List<String> users = view(disk).attachedTo();
        if (!users.contains(instance.toString())) {
            if (!users.isEmpty() && !disk.getAccessMode().equals(SHARED)) {
                throw new CloudException(
                        Kind.INVALID,
                        "cannot " + attempted + ": " + users.get(0)
                                + " has it and it cannot be shared. Detach it there");
            }
            AttachDiskInstanceRequest request = AttachDiskInstanceRequest.newBuilder()
                    .setProject(settings.project())
                    .setZone(instance.zone())
                    .setInstance(instance.name())
                    .setRequestId(GoogleCalls.newRequestId())
                    .setAttachedDiskResource(AttachedDisk.newBuilder()
                            .setSource("projects/" + settings.project() + "/" + volume.path("disks"))
                            .setDeviceName(volume.name())
                            .setMode("READ_WRITE")
                            .setAutoDelete(false))
                    .build();
            Operation begun = calls.change(
                    attempted,
                    GooglePermission.INSTANCES_ATTACH_DISK,
                    c -> c.instances.attachDiskCallable().call(request));
            calls.await(attempted, GooglePermission.INSTANCES_ATTACH_DISK, begun);
        }
        String deviceName = deviceName(volume, instance)
                .orElseThrow(() -> new CloudException(
                        Kind.UNCLEAR, "cannot " + attempted + ": it is attached and the instance does not list it"));
        return new Attachment(volume.toString(), instance.toString(), "google-" + deviceName, -1);
    }

    private Optional<String> deviceName(GoogleId volume, GoogleId instance) {
        return calls.findInstance(instance).stream()
                .flatMap(i -> i.getDisksList().stream())
                .filter(d -> d.getSource().endsWith("/" + volume.path("disks")))
                .map(AttachedDisk::getDeviceName)
                .findFirst();
    }

    /** The API asks no guest for consent, so that force is no other call. */
    @Override
    public void detach(String volumeId, String instanceId, boolean force) {
        GoogleId volume = GoogleId.of(volumeId);
        GoogleId instance = GoogleId.of(instanceId);
        Optional<String> deviceName = deviceName(volume, instance);
        if (deviceName.isEmpty()) {
            return;
        }
        String attempted = (force ? "take volume " : "detach volume ") + volume + " from " + instance;
        DetachDiskInstanceRequest request = DetachDiskInstanceRequest.newBuilder()
                .setProject(settings.project())
                .setZone(instance.zone())
                .setInstance(instance.name())
                .setDeviceName(deviceName.get())
                .setRequestId(GoogleCalls.newRequestId())
                .build();
        Operation begun = calls.change(
                attempted,
                GooglePermission.INSTANCES_DETACH_DISK,
                c -> c.instances.detachDiskCallable().call(request));
        calls.await(attempted, GooglePermission.INSTANCES_DETACH_DISK, begun);
    }

    @Override
    public void delete(String volumeId) {
        GoogleId id = GoogleId.of(volumeId);
        Optional<Volume> volume = find(id).map(GoogleVolumes::view);
        if (volume.isEmpty()) {
            return;
        }
        if (volume.get().fleet().isEmpty() || !volume.get().attachedTo().isEmpty()) {
            throw new CloudException(
                    Kind.INVALID,
                    "volume " + id + " is not deleted: it "
                            + (volume.get().fleet().isEmpty()
                                    ? "has no label " + GoogleInsert.FLEET
                                    : "is attached to "
                                            + volume.get().attachedTo().get(0)));
        }
        DeleteDiskRequest request = DeleteDiskRequest.newBuilder()
                .setProject(settings.project())
                .setZone(id.zone())
                .setDisk(id.name())
                .setRequestId(GoogleCalls.newRequestId())
                .build();
        Operation begun = calls.change(
                "delete volume " + id,
                GooglePermission.DISKS_DELETE,
                c -> c.disks.deleteCallable().call(request));
        calls.await("delete volume " + id, GooglePermission.DISKS_DELETE, begun);
    }

    private static Volume view(Disk disk) {
        String zone = GoogleId.last(disk.getZone());
        return new Volume(
                new GoogleId(zone, disk.getName()).toString(),
                zone,
                Math.toIntExact(disk.getSizeGb()),
                disk.getAccessMode().equals(SHARED),
                disk.getUsersList().stream()
                        .map(user -> GoogleId.of(user).toString())
                        .toList(),
                Optional.ofNullable(disk.getLabelsMap().get(GoogleInsert.FLEET)));
    }
}
