// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.KeptEpochs.Kept;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Deletes epochs that are kept no longer, on the thread {@code store-clean-*}: manifests first, so that no manifest ever
 * lists a segment that is gone, then segments. Those of an epoch that somebody still reads wait for a later time.
 */
final class CleanUp {
    /** After so many the leases are looked at even without garbage. */
    private static final int MAX_LEAVING = 64;

    private final ObjectStore store;
    private final String vmId;
    private final Keys keys;
    private final LongSupplier wallClockMs;
    /** Segments and checkpoints to be deleted. */
    private final Set<String> garbage = new LinkedHashSet<>();
    /** Epochs whose manifests are gone, until it is known that nobody reads them. */
    private final Map<Long, List<SegmentRef>> leaving = new LinkedHashMap<>();

    CleanUp(ObjectStore store, String vmId, LongSupplier wallClockMs) {
        this.store = store;
        this.vmId = vmId;
        this.wallClockMs = wallClockMs;
        keys = new Keys(vmId);
    }

    /**
     * @param dropped epochs to be deleted, oldest first
     * @param kept the others
     */
    void drop(List<Kept> dropped, List<Kept> kept) {
        Set<String> needed = new HashSet<>();
        for (Kept epoch : kept) {
            epoch.segments().forEach(segment -> needed.add(segment.key()));
            epoch.checkpoint().ifPresent(checkpoint -> needed.add(checkpoint.key()));
        }
        for (Kept epoch : dropped) {
            store.delete(keys.epoch(epoch.epoch()));
            leaving.put(epoch.epoch(), epoch.segments());
            for (SegmentRef segment : epoch.segments()) {
                if (!needed.contains(segment.key())) {
                    garbage.add(segment.key());
                }
            }
            // Who reads the epoch has read its checkpoint before it got its lease.
            epoch.checkpoint()
                    .map(CheckpointRef::key)
                    .filter(key -> !needed.contains(key))
                    .ifPresent(garbage::add);
        }
        if (!garbage.isEmpty() || leaving.size() > MAX_LEAVING) {
            deleteUnread(kept.get(0).epoch());
        }
    }

    private void deleteUnread(long oldestKept) {
        Set<Long> leased = ReaderLeases.live(store, vmId, wallClockMs.getAsLong());
        leaving.keySet().retainAll(leased);
        Set<String> read = new HashSet<>();
        for (long epoch : leased) {
            if (epoch < oldestKept && !leaving.containsKey(epoch)) {
                // An earlier writer dropped it: what it consists of is not known here.
                return;
            }
            leaving.getOrDefault(epoch, List.of()).forEach(segment -> read.add(segment.key()));
        }
        for (String key : List.copyOf(garbage)) {
            if (!read.contains(key)) {
                store.delete(key);
                garbage.remove(key);
            }
        }
    }
}
