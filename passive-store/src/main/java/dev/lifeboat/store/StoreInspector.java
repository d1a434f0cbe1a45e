// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.ObjectStore.Entry;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Says what is in a store, without changing it and without a key. Used by one thread. */
public final class StoreInspector {
    private final ObjectStore store;

    public StoreInspector(ObjectStore store) {
        this.store = store;
    }

    /**
     * The VMs of a store.
     *
     * @param foreign keys under {@code vm/} that belong to no VM
     */
    public record Overview(List<VmLine> vms, List<String> foreign) {}

    /**
     * One VM in short.
     *
     * @param newestWhole the newest epoch whose objects are all there in full length ({@code verify} reads them)
     * @param cutAtMillis of that epoch
     * @param epochs manifests there are
     * @param storedBytes of all its objects
     */
    public record VmLine(
            String vmId,
            Optional<Long> newestWhole,
            Optional<Long> cutAtMillis,
            int epochs,
            long storedBytes,
            boolean encrypted,
            Optional<Owner> owner,
            Optional<String> problem) {}

    /** Who may run the VM under a term. */
    public record Owner(long term, String host, long createdAtMillis) {}

    /**
     * An epoch.
     *
     * @param newBytes of segments that the epoch before it does not list
     * @param checkpoint that its manifest refers to
     * @param manifestBytes of the manifest alone
     * @param problem why it is not whole
     */
    public record Epoch(
            long epoch,
            long term,
            long cutAtMillis,
            int segments,
            long storedBytes,
            long newBytes,
            Optional<String> checkpoint,
            long manifestBytes,
            Optional<String> problem) {}

    /**
     * A segment.
     *
     * @param epochs how many list it; 0 when it waits for a commit or for gc
     * @param livePages of its pages, those that the newest whole epoch still uses; absent when it does not list the
     *     segment, or it cannot be read without the key
     */
    public record Segment(
            String key,
            long storedBytes,
            long modifiedAtMillis,
            int epochs,
            Optional<Long> pages,
            Optional<Long> livePages) {}

    /**
     * One VM in full.
     *
     * @param liveShare of the pages in the segments of the newest whole epoch, those that it still uses
     * @param epochs newest first
     * @param problem damage that was met on the way; {@code verify} says what it costs
     */
    public record Vm(
            String vmId,
            boolean encrypted,
            long memoryBytes,
            List<Disk> disks,
            long storedBytes,
            Optional<Long> newestWhole,
            Optional<Double> liveShare,
            List<Owner> owners,
            List<Epoch> epochs,
            List<Segment> segments,
            int checkpoints,
            int readers,
            List<String> unknown,
            Optional<String> problem) {}

    public record Disk(long lengthBytes, Optional<String> baseImage) {}

    public Overview overview() {
        VmObjects.Everything everything = VmObjects.listAll(store);
        List<VmLine> lines = new ArrayList<>();
        for (VmObjects objects : everything.vms()) {
            lines.add(line(objects));
        }
        return new Overview(lines, everything.foreign());
    }

    private VmLine line(VmObjects objects) {
        Optional<String> problem = Optional.empty();
        EpochSurvey survey = new EpochSurvey(objects, List.of());
        try {
            survey = EpochSurvey.of(store, objects);
            problem = survey.epochs().stream()
                    .findFirst()
                    .flatMap(EpochSurvey.Seen::damage)
                    .map(why -> "newest epoch not whole: " + why);
        } catch (StoreException e) {
            problem = Optional.of(e.getMessage());
        }
        List<Owner> owners = new ArrayList<>();
        if (!objects.owners().isEmpty()) {
            try {
                owner(objects.owners().get(objects.owners().size() - 1)).ifPresent(owners::add);
            } catch (StoreException e) {
                problem = Optional.of(problem.map(text -> text + "; ").orElse("") + e.getMessage());
            }
        }
        return new VmLine(
                objects.vmId(),
                survey.newestWhole().map(EpochSurvey.Seen::epoch),
                survey.newestWhole().flatMap(EpochSurvey.Seen::manifest).map(EpochManifest::cutAtMillis),
                objects.manifests().size(),
                objects.storedBytes(),
                !objects.dataKeys().isEmpty(),
                owners.stream().findFirst(),
                problem);
    }

    private Optional<Owner> owner(Entry entry) {
        Optional<ByteBuffer> content = store.get(entry.key());
        if (content.isEmpty()) {
            return Optional.empty();
        }
        OwnerRecord record = Records.owner(entry.key(), content.get());
        return Optional.of(new Owner(record.term(), record.host(), record.createdAtMillis()));
    }

    /**
     * @param key of an encrypted VM, if it is at hand: without it the share of live pages cannot be told
     * @throws NotInStoreException when there is nothing of that VM
     */
    public Vm vm(String vmId, Optional<KeyWrapper> key) {
        VmObjects objects = VmObjects.list(store, vmId);
        if (objects.isEmpty()) {
            throw NotInStoreException.vm(vmId, store);
        }
        EpochSurvey survey = EpochSurvey.of(store, objects);
        List<Owner> owners = new ArrayList<>();
        for (Entry entry : objects.owners()) {
            owner(entry).ifPresent(owners::add);
        }
        Optional<EpochManifest> newest = survey.newestWhole().flatMap(EpochSurvey.Seen::manifest);
        boolean opens = newest.isPresent() && (objects.dataKeys().isEmpty() || key.isPresent());
        Map<String, Live> live = Map.of();
        Optional<String> problem = Optional.empty();
        try {
            live = opens ? live(newest.get(), survey.fitting(key)) : live;
        } catch (DamagedObjectException e) {
            problem = Optional.of(e.getMessage());
        }
        long pages = live.values().stream().mapToLong(Live::pages).sum();
        long livePages = live.values().stream().mapToLong(Live::livePages).sum();
        return new Vm(
                vmId,
                !objects.dataKeys().isEmpty(),
                newest.map(EpochManifest::pages).orElse(0L) * RunCodec.PAGE_BYTES,
                newest.map(manifest -> manifest.disks().stream()
                                .map(disk -> new Disk(disk.blocks() * RunCodec.PAGE_BYTES, disk.baseImage()))
                                .toList())
                        .orElse(List.of()),
                objects.storedBytes(),
                newest.map(EpochManifest::epoch),
                pages == 0 ? Optional.empty() : Optional.of((double) livePages / pages),
                owners,
                epochs(survey),
                segments(survey, live),
                objects.checkpoints().size(),
                objects.readers().size(),
                objects.unknown().stream().map(Entry::key).toList(),
                problem);
    }

    private record Live(long pages, long livePages) {}

    private Map<String, Live> live(EpochManifest manifest, Optional<KeyWrapper> key) {
        VmKeys keys = new VmKeys(store, manifest.vmId(), key);
        SegmentObjects segments = new SegmentObjects(store, keys::current);
        LivePages pages = new LivePages(manifest.shape());
        new SegmentIndexes(segments, manifest).visitAll(StoreSettings.DEFAULT, (segment, index) -> pages.add(index));
        Map<String, Live> live = new HashMap<>();
        manifest.segments().forEach(ref -> live.put(ref.key(), new Live(0, 0)));
        for (LivePages.Segment segment : pages.live()) {
            live.put(segment.ref.key(), new Live(segment.pages, segment.livePages));
        }
        return live;
    }

    private static List<Epoch> epochs(EpochSurvey survey) {
        Map<String, Long> lengths = new HashMap<>();
        survey.objects().manifests().forEach(entry -> lengths.put(entry.key(), entry.lengthBytes()));
        List<Epoch> epochs = new ArrayList<>();
        for (int i = 0; i < survey.epochs().size(); i++) {
            EpochSurvey.Seen seen = survey.epochs().get(i);
            if (seen.manifest().isEmpty()) {
                long manifestBytes = lengths.get(seen.key());
                epochs.add(new Epoch(seen.epoch(), 0, 0, 0, 0, 0, Optional.empty(), manifestBytes, seen.damage()));
                continue;
            }
            EpochManifest manifest = seen.manifest().get();
            Set<String> before = new HashSet<>();
            if (i + 1 < survey.epochs().size()) {
                survey.epochs()
                        .get(i + 1)
                        .manifest()
                        .ifPresent(parent -> parent.segments().forEach(ref -> before.add(ref.key())));
            }
            long bytes = 0;
            long newBytes = 0;
            for (SegmentRef ref : manifest.segments()) {
                long stored = seen.isEncrypted() ? SealedLayout.sealedBytes(ref.lengthBytes()) : ref.lengthBytes();
                bytes += stored;
                newBytes += before.contains(ref.key()) ? 0 : stored;
            }
            epochs.add(new Epoch(
                    seen.epoch(),
                    manifest.term(),
                    manifest.cutAtMillis(),
                    manifest.segments().size(),
                    bytes,
                    newBytes,
                    manifest.checkpoint().map(EpochManifest.CheckpointRef::key),
                    lengths.get(seen.key()),
                    seen.damage()));
        }
        return epochs;
    }

    private static List<Segment> segments(EpochSurvey survey, Map<String, Live> live) {
        Map<String, Integer> listed = new HashMap<>();
        for (EpochSurvey.Seen seen : survey.epochs()) {
            seen.manifest()
                    .ifPresent(
                            manifest -> manifest.segments().forEach(ref -> listed.merge(ref.key(), 1, Integer::sum)));
        }
        return survey.objects().segments().values().stream()
                .sorted(Comparator.comparing(Entry::key))
                .map(entry -> new Segment(
                        entry.key(),
                        entry.lengthBytes(),
                        entry.modifiedAtMillis(),
                        listed.getOrDefault(entry.key(), 0),
                        Optional.ofNullable(live.get(entry.key())).map(Live::pages),
                        Optional.ofNullable(live.get(entry.key())).map(Live::livePages)))
                .toList();
    }
}
