// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.volume.CloudVolumeMover;
import dev.lifeboat.control.volume.ControllerVolumeMover;
import dev.lifeboat.control.volume.VolumeMover;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * Moves volumes of the cloud on the wish of agents ({@link ControllerVolumeMover}), so that hosts need no rights there. Any
 * thread; a call returns when the cloud says that it is done.
 */
final class FleetVolumes {
    private static final int CONFLICT = 409;
    private static final int NOT_FOUND = 404;

    private final Optional<Volumes> volumes;
    private final Function<String, Optional<String>> instances;
    private final Events events;
    private final Map<String, String> zones = new ConcurrentHashMap<>();

    /** @param instances from a host's name to the cloud's name of it */
    FleetVolumes(Optional<Volumes> volumes, Function<String, Optional<String>> instances, Events events) {
        this.volumes = volumes;
        this.instances = instances;
        this.events = events;
    }

    /** @return what the disk is recognised by on that host */
    ControllerVolumeMover.Answer attach(ControllerVolumeMover.Wish wish) {
        String serial = mover(wish).attach(wish.asVolume(), 0);
        events.add("volume-attached", "", wish.volume() + " to " + wish.host());
        return new ControllerVolumeMover.Answer(serial);
    }

    ControllerVolumeMover.Answer detach(ControllerVolumeMover.Wish wish) {
        mover(wish).detach(wish.asVolume(), 0);
        events.add("volume-detached", "", wish.volume() + " from " + wish.host());
        return new ControllerVolumeMover.Answer(wish.serial());
    }

    ControllerVolumeMover.Answer detachElsewhere(ControllerVolumeMover.Wish wish) {
        mover(wish).detachElsewhere(wish.asVolume(), 0);
        events.add("volume-fenced", "", wish.volume() + ", so that " + wish.host() + " can have it");
        return new ControllerVolumeMover.Answer(wish.serial());
    }

    /** Where a host must be to have it; empty while the cloud does not say. It never moves. */
    Optional<String> zone(String volumeId) {
        if (volumes.isEmpty()) {
            return Optional.empty();
        }
        String known = zones.get(volumeId);
        if (known == null) {
            try {
                known = volumes.get().describe(volumeId).zone();
                zones.put(volumeId, known);
            } catch (CloudException e) {
                events.add("cloud-failed", "", "the zone of volume " + volumeId + ": " + e.getMessage());
                return Optional.empty();
            }
        }
        return Optional.of(known).filter(zone -> !zone.isEmpty());
    }

    private VolumeMover mover(ControllerVolumeMover.Wish wish) {
        Volumes some = volumes.orElseThrow(
                () -> new ApiError(NOT_FOUND, "controller.json has no \"cloud\" that could move " + wish.volume()));
        String instance = instances
                .apply(wish.host())
                .orElseThrow(() -> new ApiError(
                        CONFLICT,
                        "the cloud's name of host " + wish.host()
                                + " is not known: set \"instance\" in \"hosts\" of controller.json"));
        return new CloudVolumeMover(some, instance);
    }
}
