// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.ObjectStore.Entry;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What stands in the store under one VM's prefix, sorted by what it is. From one listing, so it may be out of date when
 * a writer is at work. Immutable.
 *
 * @param owners by rising term
 * @param manifests newest epoch first
 * @param segments by key
 * @param checkpoints by key
 * @param readers leases of readers
 * @param hints the working set, which nothing depends on
 * @param unknown what no Lifeboat of this version writes
 */
record VmObjects(
        String vmId,
        List<Entry> owners,
        List<Entry> manifests,
        Map<String, Entry> segments,
        Map<String, Entry> checkpoints,
        List<Entry> readers,
        List<Entry> dataKeys,
        List<Entry> hints,
        List<Entry> unknown) {

    /** Far above what a store holds: 8 PiB in full segments. */
    private static final int ALL = 1 << 30;

    static VmObjects list(ObjectStore store, String vmId) {
        return sort(vmId, store.entries(new Keys(vmId).prefix(), ALL));
    }

    private static VmObjects sort(String vmId, List<Entry> entries) {
        Keys keys = new Keys(vmId);
        VmObjects objects = new VmObjects(
                vmId,
                new ArrayList<>(),
                new ArrayList<>(),
                new HashMap<>(),
                new HashMap<>(),
                new ArrayList<>(),
                new ArrayList<>(),
                new ArrayList<>(),
                new ArrayList<>());
        for (Entry entry : entries) {
            String key = entry.key();
            if (keys.termOf(key).isPresent()) {
                objects.owners.add(entry);
            } else if (keys.epochOf(key).isPresent()) {
                objects.manifests.add(entry);
            } else if (keys.isSegment(key)) {
                objects.segments.put(key, entry);
            } else if (keys.isCheckpoint(key)) {
                objects.checkpoints.put(key, entry);
            } else if (key.startsWith(keys.readerPrefix())) {
                objects.readers.add(entry);
            } else if (key.startsWith(keys.dataKeyPrefix())) {
                objects.dataKeys.add(entry);
            } else if (key.equals(keys.workingSet())) {
                objects.hints.add(entry);
            } else {
                objects.unknown.add(entry);
            }
        }
        return objects;
    }

    /** Every VM that has an object, by name; and the keys under {@code vm/} that belong to none. */
    static Everything listAll(ObjectStore store) {
        Map<String, List<Entry>> byVm = new TreeMap<>();
        List<String> foreign = new ArrayList<>();
        for (Entry entry : store.entries(Keys.ALL_VMS, ALL)) {
            Optional<String> vmId = Keys.vmIdOf(entry.key());
            if (vmId.isPresent()) {
                byVm.computeIfAbsent(vmId.get(), id -> new ArrayList<>()).add(entry);
            } else {
                foreign.add(entry.key());
            }
        }
        List<VmObjects> vms = new ArrayList<>();
        byVm.forEach((vmId, entries) -> vms.add(sort(vmId, entries)));
        return new Everything(vms, foreign);
    }

    record Everything(List<VmObjects> vms, List<String> foreign) {}

    boolean isEmpty() {
        return owners.isEmpty()
                && manifests.isEmpty()
                && segments.isEmpty()
                && checkpoints.isEmpty()
                && readers.isEmpty()
                && dataKeys.isEmpty()
                && hints.isEmpty()
                && unknown.isEmpty();
    }

    long storedBytes() {
        long bytes = 0;
        for (List<Entry> list : List.of(owners, manifests, readers, dataKeys, hints, unknown)) {
            for (Entry entry : list) {
                bytes += entry.lengthBytes();
            }
        }
        for (Map<String, Entry> map : List.of(segments, checkpoints)) {
            for (Entry entry : map.values()) {
                bytes += entry.lengthBytes();
            }
        }
        return bytes;
    }
}
