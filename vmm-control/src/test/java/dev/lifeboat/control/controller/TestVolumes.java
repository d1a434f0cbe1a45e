// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.Volumes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Volumes in memory that one instance at a time can have. Thread-safe. */
public final class TestVolumes implements Volumes {
    private final Map<String, String> zones = new HashMap<>();
    private final Map<String, String> holders = new HashMap<>();
    private final List<String> moves = new ArrayList<>();

    public synchronized void add(String id, String zone) {
        zones.put(id, zone);
    }

    /** Such as {@code attach vol-1 i-a}, in order. */
    public synchronized List<String> moves() {
        return List.copyOf(moves);
    }

    public synchronized Optional<String> holder(String id) {
        return Optional.ofNullable(holders.get(id));
    }

    @Override
    public synchronized Volume describe(String volumeId) {
        String zone = zones.get(volumeId);
        if (zone == null) {
            throw new CloudException(CloudException.Kind.NOT_FOUND, "no volume " + volumeId);
        }
        return new Volume(
                volumeId, zone, 8, false, holder(volumeId).map(List::of).orElse(List.of()), Optional.of("fleet"));
    }

    @Override
    public synchronized Attachment attach(String volumeId, String instanceId) {
        List<String> has = describe(volumeId).attachedTo();
        if (!has.isEmpty() && !has.contains(instanceId)) {
            throw new CloudException(CloudException.Kind.INVALID, volumeId + " is attached to " + has.get(0));
        }
        if (holders.put(volumeId, instanceId) == null) {
            moves.add("attach " + volumeId + " " + instanceId);
        }
        return new Attachment(volumeId, instanceId, volumeId.replace("-", ""), -1);
    }

    @Override
    public synchronized void detach(String volumeId, String instanceId, boolean force) {
        describe(volumeId);
        if (holders.remove(volumeId, instanceId)) {
            moves.add((force ? "force " : "detach ") + volumeId + " " + instanceId);
        }
    }

    @Override
    public Volume create(String token, String fleet, int sizeGib, String zone, boolean multiAttach) {
        throw new AssertionError("nobody asked for a new volume");
    }

    @Override
    public List<Volume> all(String fleet) {
        throw new AssertionError("nobody asked for all volumes");
    }

    @Override
    public void delete(String volumeId) {
        throw new AssertionError("nobody asked to delete " + volumeId);
    }
}
