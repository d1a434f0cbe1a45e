// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.Volumes;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.CreateVolumeRequest;
import software.amazon.awssdk.services.ec2.model.ResourceType;
import software.amazon.awssdk.services.ec2.model.VolumeAttachment;
import software.amazon.awssdk.services.ec2.model.VolumeAttachmentState;
import software.amazon.awssdk.services.ec2.model.VolumeState;
import software.amazon.awssdk.services.ec2.model.VolumeType;

/** Elastic Block Store. Any thread; calls wait until EC2 says that it is done. */
final class AwsVolumes implements Volumes {
    /** io2 takes at least 4 GiB, and 100 operations a second. */
    private static final int SMALLEST_SHARED_GIB = 4;
    /** What gp3 has without extra cost, and io2 takes from 4 GiB on (1,000 for each GiB at most). */
    private static final int OPERATIONS_PER_SECOND = 3000;

    private final Ec2Client ec2;
    private final AwsWait wait;

    AwsVolumes(Ec2Client ec2, AwsWait wait) {
        this.ec2 = ec2;
        this.wait = wait;
    }

    @Override
    public Volume create(String token, String fleet, int sizeGib, String zone, boolean multiAttach) {
        CreateVolumeRequest.Builder request = CreateVolumeRequest.builder()
                .clientToken(token)
                .availabilityZone(zone)
                .size(multiAttach ? Math.max(sizeGib, SMALLEST_SHARED_GIB) : sizeGib)
                .volumeType(multiAttach ? VolumeType.IO2 : VolumeType.GP3)
                .iops(OPERATIONS_PER_SECOND)
                .encrypted(true)
                .tagSpecifications(AwsTags.on(ResourceType.VOLUME, fleet, token));
        if (multiAttach) {
            request.multiAttachEnabled(true);
        }
        String attempted = "create a volume of " + sizeGib + " GiB in " + zone;
        String id = AwsErrors.change(
                AwsPermission.CREATE_VOLUME,
                attempted,
                () -> ec2.createVolume(request.build()).volumeId());
        return wait.until(() -> find(id).filter(volume -> isThere(volume, id)))
                .map(AwsVolumes::volume)
                .orElseThrow(() -> late(
                        attempted,
                        "it is " + id + " and not available; wait, then create it again with the same token"));
    }

    private static boolean isThere(software.amazon.awssdk.services.ec2.model.Volume volume, String id) {
        if (volume.state() == VolumeState.ERROR) {
            throw new CloudException(
                    Kind.UNAVAILABLE,
                    "volume " + id + " has failed while it was made: delete it and create another one");
        }
        return volume.state() == VolumeState.AVAILABLE || volume.state() == VolumeState.IN_USE;
    }

    @Override
    public Volume describe(String volumeId) {
        return volume(read(volumeId));
    }

    @Override
    public List<Volume> all(String fleet) {
        return AwsErrors.look(
                AwsPermission.DESCRIBE_VOLUMES,
                "list the volumes of fleet " + fleet,
                () -> ec2
                        .describeVolumesPaginator(request -> request.filters(AwsTags.filter(AwsTags.FLEET, fleet)))
                        .volumes()
                        .stream()
                        .filter(volume ->
                                volume.state() != VolumeState.DELETING && volume.state() != VolumeState.DELETED)
                        .map(AwsVolumes::volume)
                        .toList());
    }

    @Override
    public Attachment attach(String volumeId, String instanceId) {
        software.amazon.awssdk.services.ec2.model.Volume volume = read(volumeId);
        Optional<VolumeAttachment> there = attachment(volume, instanceId);
        if (there.isEmpty()) {
            refuseIfTaken(volume, instanceId);
            String device = freeDevice(instanceId);
            AwsErrors.change(
                    AwsPermission.ATTACH_VOLUME,
                    "attach " + volumeId + " to " + instanceId,
                    () -> ec2.attachVolume(request ->
                            request.volumeId(volumeId).instanceId(instanceId).device(device)));
        }
        return wait.until(() -> attachment(read(volumeId), instanceId)
                        .filter(found -> found.state() == VolumeAttachmentState.ATTACHED))
                .map(found -> new Attachment(volumeId, instanceId, serial(volumeId), -1))
                .orElseThrow(() -> late(
                        "attach " + volumeId + " to " + instanceId,
                        "it is stuck in attaching; detach it with force, then attach it again"));
    }

    private static void refuseIfTaken(software.amazon.awssdk.services.ec2.model.Volume volume, String instanceId) {
        String others = volume.attachments().stream()
                .map(found -> found.instanceId() + " (" + found.stateAsString() + ")")
                .collect(Collectors.joining(", "));
        if (!others.isEmpty() && !Boolean.TRUE.equals(volume.multiAttachEnabled())) {
            throw new CloudException(
                    Kind.INVALID,
                    "cannot attach " + volume.volumeId() + " to " + instanceId + ": " + others
                            + " has it, and it cannot be shared. Detach it there first");
        }
    }

    /** EC2 wants a name that the instance does not use; the kernel chooses another one, and the serial finds it. */
    private String freeDevice(String instanceId) {
        Set<String> taken = new HashSet<>();
        AwsErrors.look(
                        AwsPermission.DESCRIBE_INSTANCES,
                        "see which volumes " + instanceId + " has",
                        () -> ec2.describeInstances(request -> request.instanceIds(instanceId))
                                .reservations())
                .forEach(reservation -> reservation
                        .instances()
                        .forEach(instance ->
                                instance.blockDeviceMappings().forEach(mapping -> taken.add(mapping.deviceName()))));
        for (char letter = 'f'; letter <= 'p'; letter++) {
            String name = "/dev/sd" + letter;
            if (!taken.contains(name)) {
                return name;
            }
        }
        throw new CloudException(
                Kind.QUOTA,
                "instance " + instanceId + " has no free device name from /dev/sdf to /dev/sdp: detach one");
    }

    @Override
    public void detach(String volumeId, String instanceId, boolean force) {
        Optional<VolumeAttachment> there = attachment(read(volumeId), instanceId);
        if (there.isEmpty()) {
            return;
        }
        String attempted = "detach " + volumeId + " from " + instanceId + (force ? " by force" : "");
        // Force is asked for again even while a detaching without it hangs.
        if (force || there.get().state() != VolumeAttachmentState.DETACHING) {
            AwsErrors.change(
                    AwsPermission.DETACH_VOLUME,
                    attempted,
                    () -> ec2.detachVolume(request ->
                            request.volumeId(volumeId).instanceId(instanceId).force(force)));
        }
        wait.until(() -> attachment(read(volumeId), instanceId).isEmpty() ? Optional.of(true) : Optional.empty())
                .orElseThrow(() -> late(
                        attempted,
                        force
                                ? "EC2 still says that it is attached; stop the instance"
                                : "the instance holds on to it; unmount it there, or detach it with force"));
    }

    @Override
    public void delete(String volumeId) {
        Volume volume = describe(volumeId);
        if (volume.fleet().isEmpty() || !volume.attachedTo().isEmpty()) {
            throw new CloudException(
                    Kind.INVALID,
                    "will not delete " + volumeId + ": "
                            + (volume.fleet().isEmpty()
                                    ? "it has no tag " + AwsTags.FLEET + "; delete it by hand if it is yours"
                                    : "it is attached to " + String.join(", ", volume.attachedTo())
                                            + "; detach it first"));
        }
        AwsErrors.change(
                AwsPermission.DELETE_VOLUME,
                "delete volume " + volumeId,
                () -> ec2.deleteVolume(request -> request.volumeId(volumeId)));
    }

    private software.amazon.awssdk.services.ec2.model.Volume read(String volumeId) {
        return AwsErrors.look(
                        AwsPermission.DESCRIBE_VOLUMES,
                        "describe volume " + volumeId,
                        () -> ec2.describeVolumes(request -> request.volumeIds(volumeId))
                                .volumes())
                .stream()
                .findFirst()
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND, "EC2 has no volume " + volumeId + ": see that the region is right"));
    }

    /** EC2 may not know for some seconds what it has just made. */
    private Optional<software.amazon.awssdk.services.ec2.model.Volume> find(String volumeId) {
        try {
            return Optional.of(read(volumeId));
        } catch (CloudException e) {
            if (e.kind() == Kind.NOT_FOUND) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static Optional<VolumeAttachment> attachment(
            software.amazon.awssdk.services.ec2.model.Volume volume, String instanceId) {
        return volume.attachments().stream()
                .filter(found -> found.instanceId().equals(instanceId))
                .filter(found -> found.state() != VolumeAttachmentState.DETACHED)
                .findFirst();
    }

    /** An NVMe disk of EBS tells its volume's name, without the hyphen. */
    static String serial(String volumeId) {
        return volumeId.replace("-", "");
    }

    private static Volume volume(software.amazon.awssdk.services.ec2.model.Volume found) {
        return new Volume(
                found.volumeId(),
                found.availabilityZone(),
                found.size(),
                Boolean.TRUE.equals(found.multiAttachEnabled()),
                found.attachments().stream()
                        .filter(attachment -> attachment.state() != VolumeAttachmentState.DETACHED)
                        .map(VolumeAttachment::instanceId)
                        .toList(),
                AwsTags.value(found.tags(), AwsTags.FLEET));
    }

    private static CloudException late(String attempted, String why) {
        return new CloudException(Kind.UNAVAILABLE, "cannot " + attempted + " in time: " + why);
    }
}
