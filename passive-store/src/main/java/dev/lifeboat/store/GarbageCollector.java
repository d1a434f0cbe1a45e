// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.ObjectStore.Entry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Deletes what a VM's epochs need no longer; may run beside a writer and readers, and may die at any point. Used by one
 * thread.
 *
 * <p>The order is what makes it safe. First manifests, newest first, never the newest whole one nor a newer one. Then
 * the leases of readers are looked at, then all manifests again, and then segments go that none lists and that are older
 * than a writer ever lets a segment wait for its commit ({@link StoreSettings}): a younger one may be listed tomorrow.
 */
public final class GarbageCollector {
    /** Twice as long as a writer lets a segment wait for its commit, for clocks differ. */
    public static final long GRACE_MS = 2 * StoreSettings.DEFAULT.segmentMaxAgeMs();

    private final ObjectStore store;
    private final Optional<KeyWrapper> key;
    private final RetentionPolicy retention;
    private final long graceMs;
    private final LongSupplier wallClockMs;

    /**
     * What was deleted, or would be.
     *
     * @param segments and checkpoints, by key
     * @param bytes of all that was deleted
     * @param notes why something was left
     */
    public record Result(String vmId, List<Long> epochs, List<String> segments, long bytes, List<String> notes) {}

    /**
     * @param key of an encrypted VM, if it is at hand: its segments' indexes are then read, too
     * @param graceMs up to this age a segment that no manifest lists is left alone
     */
    public GarbageCollector(ObjectStore store, Optional<KeyWrapper> key, RetentionPolicy retention, long graceMs) {
        this(store, key, retention, graceMs, System::currentTimeMillis);
    }

    GarbageCollector(
            ObjectStore store,
            Optional<KeyWrapper> key,
            RetentionPolicy retention,
            long graceMs,
            LongSupplier wallClockMs) {
        this.store = store;
        this.key = key;
        this.retention = retention;
        this.graceMs = graceMs;
        this.wallClockMs = wallClockMs;
    }

    /**
     * @param dryRun only says what it would do
     * @throws NotInStoreException when there is nothing of that VM
     * @throws StoreException also when a manifest is of a format that this Lifeboat does not read
     */
    public Result collect(String vmId, boolean dryRun) {
        VmObjects objects = VmObjects.list(store, vmId);
        if (objects.isEmpty()) {
            throw NotInStoreException.vm(vmId, store);
        }
        List<String> notes = new ArrayList<>();
        EpochSurvey survey = EpochSurvey.of(store, objects);
        Optional<Long> newestWhole = newestWhole(survey);
        if (newestWhole.isEmpty() && !survey.epochs().isEmpty()) {
            notes.add(
                    "no epoch of VM " + vmId + " is whole, so nothing is deleted; see: lifeboat store verify " + vmId);
            return new Result(vmId, List.of(), List.of(), 0, notes);
        }
        List<EpochSurvey.Seen> dropped = dropped(survey, newestWhole.orElse(0L), vmId);
        long bytes = 0;
        for (EpochSurvey.Seen seen : dropped) {
            bytes += length(objects.manifests(), seen.key());
            if (!dryRun) {
                store.delete(seen.key());
            }
        }
        List<Entry> garbage = garbage(objects, dropped, dryRun, notes);
        for (Entry segment : garbage) {
            bytes += segment.lengthBytes();
            if (!dryRun) {
                store.delete(segment.key());
            }
        }
        return new Result(
                vmId,
                dropped.stream().map(EpochSurvey.Seen::epoch).toList(),
                garbage.stream().map(Entry::key).toList(),
                bytes,
                notes);
    }

    /** As a restore would choose it, as far as the segments can be opened. */
    private Optional<Long> newestWhole(EpochSurvey survey) {
        for (EpochSurvey.Seen seen : survey.epochs()) {
            if (seen.damage().isPresent()) {
                continue;
            }
            if (seen.isEncrypted() && key.isEmpty()) {
                return Optional.of(seen.epoch());
            }
            EpochManifest manifest = seen.manifest().orElseThrow();
            VmKeys keys = new VmKeys(store, manifest.vmId(), survey.fitting(key));
            keys.of(seen.key(), seen.keyNumber());
            try {
                new SegmentIndexes(new SegmentObjects(store, keys::current), manifest)
                        .visitAll(StoreSettings.DEFAULT, (segment, index) -> {});
                return Optional.of(seen.epoch());
            } catch (DamagedObjectException e) {
                continue;
            }
        }
        return Optional.empty();
    }

    /** Manifests that go, newest first. */
    private List<EpochSurvey.Seen> dropped(EpochSurvey survey, long newestWhole, String vmId) {
        Set<Long> read = leases(vmId);
        long now = wallClockMs.getAsLong();
        List<EpochSurvey.Seen> dropped = new ArrayList<>();
        for (int i = retention.keepLast(); i < survey.epochs().size(); i++) {
            EpochSurvey.Seen seen = survey.epochs().get(i);
            boolean young = seen.manifest()
                    .map(manifest -> now - manifest.cutAtMillis() < retention.keepForMillis())
                    .orElse(false);
            if (seen.epoch() < newestWhole && !young && !read.contains(seen.epoch())) {
                dropped.add(seen);
            }
        }
        return dropped;
    }

    private Set<Long> leases(String vmId) {
        return ReaderLeases.seen(store, vmId, wallClockMs.getAsLong());
    }

    private List<Entry> garbage(VmObjects objects, List<EpochSurvey.Seen> dropped, boolean dryRun, List<String> notes) {
        Set<Long> gone = new HashSet<>();
        dropped.forEach(seen -> gone.add(seen.epoch()));
        String vmId = objects.vmId();
        // After the manifests are gone: a reader that comes now finds none, one that came before has its lease.
        Set<Long> read = dryRun ? leases(vmId) : ReaderLeases.live(store, vmId, wallClockMs.getAsLong());
        EpochSurvey now = EpochSurvey.of(store, dryRun ? objects : VmObjects.list(store, vmId));
        Set<Long> kept = new HashSet<>();
        Set<String> listed = new HashSet<>();
        for (EpochSurvey.Seen seen : now.epochs()) {
            if (gone.contains(seen.epoch())) {
                continue;
            }
            kept.add(seen.epoch());
            if (seen.manifest().isEmpty()) {
                notes.add("no segment is deleted, because it is not known which ones epoch " + seen.epoch() + " needs: "
                        + seen.damage().orElse(""));
                return List.of();
            }
            seen.manifest().get().segments().forEach(ref -> listed.add(ref.key()));
            seen.manifest().get().checkpoint().ifPresent(ref -> listed.add(ref.key()));
        }
        for (long epoch : read) {
            if (!kept.contains(epoch)) {
                notes.add("no segment is deleted, because epoch " + epoch
                        + ", whose manifest is gone, is still being read; try again later");
                return List.of();
            }
        }
        long oldest = wallClockMs.getAsLong() - graceMs;
        List<Entry> garbage = new ArrayList<>();
        int young = 0;
        List<Entry> candidates = new ArrayList<>(objects.segments().values());
        candidates.addAll(objects.checkpoints().values());
        for (Entry candidate : candidates) {
            if (!listed.contains(candidate.key())) {
                if (candidate.modifiedAtMillis() <= oldest) {
                    garbage.add(candidate);
                } else {
                    young++;
                }
            }
        }
        if (young > 0) {
            notes.add(young
                    + " segments or checkpoints that no epoch lists are left, because a writer may just be making an epoch of"
                    + " them; they go when they are older than " + graceMs / 1000 + " s");
        }
        garbage.sort(Comparator.comparing(Entry::key));
        return garbage;
    }

    private static long length(List<Entry> entries, String key) {
        return entries.stream()
                .filter(entry -> entry.key().equals(key))
                .mapToLong(Entry::lengthBytes)
                .sum();
    }
}
