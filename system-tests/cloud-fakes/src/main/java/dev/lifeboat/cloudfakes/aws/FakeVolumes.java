// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Volumes that attach and detach in their own time, or never. Guarded by its {@link AwsFake}. */
final class FakeVolumes {
    private static final class Attachment {
        final String instance;
        final String device;
        boolean detaching;
        Instant until;

        Attachment(String instance, String device, Instant until) {
            this.instance = instance;
            this.device = device;
            this.until = until;
        }
    }

    private static final class Volume {
        final String id;
        final Ec2Form made;
        final Map<String, Attachment> attachments = new LinkedHashMap<>();

        Volume(String id, Ec2Form made) {
            this.id = id;
            this.made = made;
        }
    }

    private final InstantSource clock;
    private final FakeHosts hosts;
    private final Map<String, Volume> volumes = new LinkedHashMap<>();
    private final Map<String, Volume> byToken = new HashMap<>();
    Duration attaching = Duration.ZERO;
    Duration detaching = Duration.ZERO;
    private int number;

    FakeVolumes(InstantSource clock, FakeHosts hosts) {
        this.clock = clock;
        this.hosts = hosts;
    }

    boolean answer(String action, Ec2Form form, Xml out) {
        volumes.values().forEach(this::settle);
        switch (action) {
            case "CreateVolume" -> volume(out, create(form));
            case "DescribeVolumes" -> describe(form, out);
            case "AttachVolume" -> attach(form, out);
            case "DetachVolume" -> detach(form, out);
            case "DeleteVolume" -> delete(form, out);
            default -> {
                return false;
            }
        }
        return true;
    }

    private Volume create(Ec2Form form) {
        String token = form.require("ClientToken");
        form.require("AvailabilityZone");
        form.require("Size");
        Volume before = byToken.get(token);
        if (before != null) {
            if (!before.made.fields().equals(form.fields())) {
                throw new AwsFault(400, "IdempotentParameterMismatch", "another volume has this token");
            }
            return before;
        }
        boolean shared = form.is("MultiAttachEnabled");
        if (shared && !form.require("VolumeType").equals("io2")) {
            throw new AwsFault(400, "InvalidParameterCombination", "only io1 and io2 volumes can be shared");
        }
        number++;
        Volume volume = new Volume(String.format("vol-%017x", 0xdef0000 + number), form);
        volumes.put(volume.id, volume);
        byToken.put(token, volume);
        return volume;
    }

    private Volume get(Ec2Form form) {
        String id = form.require("VolumeId");
        Volume volume = volumes.get(id);
        if (volume == null) {
            throw new AwsFault(400, "InvalidVolume.NotFound", "The volume '" + id + "' does not exist.");
        }
        return volume;
    }

    private void describe(Ec2Form form, Xml out) {
        List<Volume> found = form.list("VolumeId").isEmpty()
                ? List.copyOf(volumes.values())
                : form.list("VolumeId").stream()
                        .map(id -> get(new Ec2Form(Map.of("VolumeId", id))))
                        .toList();
        Map<String, List<String>> filters = form.filters();
        List<Volume> wanted = found.stream()
                .filter(volume -> filters.entrySet().stream()
                        .allMatch(filter -> filter.getValue()
                                .contains(volume.made
                                        .tags("volume")
                                        .get(filter.getKey().replace("tag:", "")))))
                .toList();
        out.items("volumeSet", wanted, this::volume);
    }

    private void volume(Xml xml, Volume volume) {
        xml.value("volumeId", volume.id)
                .value("size", volume.made.require("Size"))
                .value("availabilityZone", volume.made.require("AvailabilityZone"))
                .value("status", volume.attachments.isEmpty() ? "available" : "in-use")
                .value("volumeType", volume.made.require("VolumeType"))
                .value("multiAttachEnabled", volume.made.is("MultiAttachEnabled"))
                .items("attachmentSet", volume.attachments.values(), (item, one) -> attachment(item, volume, one))
                .tags(volume.made.tags("volume"));
    }

    private void attachment(Xml xml, Volume volume, Attachment one) {
        xml.value("volumeId", volume.id)
                .value("instanceId", one.instance)
                .value("device", one.device)
                .value("status", state(one));
    }

    private String state(Attachment one) {
        if (one.detaching) {
            return "detaching";
        }
        return clock.instant().isBefore(one.until) ? "attaching" : "attached";
    }

    private void settle(Volume volume) {
        volume.attachments.values().removeIf(one -> {
            boolean gone = one.detaching && !clock.instant().isBefore(one.until);
            if (gone) {
                hosts.get(one.instance).devices.remove(one.device);
            }
            return gone;
        });
    }

    private void attach(Ec2Form form, Xml out) {
        Volume volume = get(form);
        FakeHosts.Host host = hosts.get(form.require("InstanceId"));
        String device = form.require("Device");
        if (!volume.attachments.isEmpty() && !volume.made.is("MultiAttachEnabled")
                || volume.attachments.containsKey(host.id)) {
            throw new AwsFault(400, "VolumeInUse", volume.id + " is already attached to an instance");
        }
        if (!host.zone.equals(volume.made.require("AvailabilityZone"))) {
            throw new AwsFault(400, "InvalidVolume.ZoneMismatch", "The volume is not in the same zone as the instance");
        }
        if (host.devices.putIfAbsent(device, volume.id) != null) {
            throw new AwsFault(400, "InvalidParameterValue", "Attachment point " + device + " is already in use");
        }
        Attachment one = new Attachment(host.id, device, clock.instant().plus(attaching));
        volume.attachments.put(host.id, one);
        attachment(out, volume, one);
    }

    private void detach(Ec2Form form, Xml out) {
        Volume volume = get(form);
        Attachment one = Optional.ofNullable(volume.attachments.get(form.require("InstanceId")))
                .orElseThrow(() -> new AwsFault(400, "IncorrectState", volume.id + " is in the 'available' state"));
        one.detaching = true;
        one.until = form.is("Force") ? clock.instant() : clock.instant().plus(detaching);
        attachment(out, volume, one);
    }

    private void delete(Ec2Form form, Xml out) {
        Volume volume = get(form);
        if (!volume.attachments.isEmpty()) {
            throw new AwsFault(400, "VolumeInUse", volume.id + " is currently attached");
        }
        volumes.remove(volume.id);
        out.value("return", true);
    }
}
