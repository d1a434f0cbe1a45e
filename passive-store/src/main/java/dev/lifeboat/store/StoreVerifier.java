// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.ObjectStore.Entry;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;

/**
 * Reads everything of a VM, and names each damaged object and what it costs. Changes nothing. Used by one thread; {@code
 * store-verify-*} read segments. Without the key of an encrypted VM it checks the checksums of what is sealed.
 */
public final class StoreVerifier {
    private final ObjectStore store;
    private final Optional<KeyWrapper> key;
    private final BiConsumer<Integer, Integer> progress;

    /**
     * @param key of an encrypted VM, if it is at hand
     * @param progress is told how many segments have been read, and of how many
     */
    public StoreVerifier(ObjectStore store, Optional<KeyWrapper> key, BiConsumer<Integer, Integer> progress) {
        this.store = store;
        this.key = key;
        this.progress = progress;
    }

    /**
     * What was found.
     *
     * @param restorable the newest epoch that nothing is missing of
     * @param contentsRead whether pages were decoded; otherwise only checksums of what is sealed were checked
     */
    public record Report(
            String vmId,
            int epochs,
            int segments,
            long bytesRead,
            boolean contentsRead,
            Optional<Long> restorable,
            List<Damage> damages) {}

    /** A damaged object; {@code costs} is empty when every epoch restores without it. */
    public record Damage(String object, String what, List<Cost> costs) {}

    /**
     * What an epoch loses.
     *
     * @param all whether nothing of it can be restored
     * @param lost otherwise: pages that cannot be
     */
    public record Cost(long epoch, boolean all, List<Lost> lost) {}

    /** Neighbouring pages of {@code memory} or blocks of {@code disk N}, 4 KiB each. */
    public record Lost(String space, long first, long count) {}

    /** @throws NotInStoreException when there is nothing of that VM */
    public Report verify(String vmId) {
        VmObjects objects = VmObjects.list(store, vmId);
        if (objects.isEmpty()) {
            throw NotInStoreException.vm(vmId, store);
        }
        EpochSurvey survey = EpochSurvey.of(store, objects);
        List<Damage> damages = new ArrayList<>();
        checkOwners(objects, damages);
        boolean hasKey = checkDataKey(survey, damages);
        Optional<KeyWrapper> fitting = hasKey ? survey.fitting(key) : Optional.empty();
        VmKeys keys = new VmKeys(store, vmId, fitting);
        if (fitting.isPresent()) {
            checkSeals(survey, keys, new Checkpoints(store, vmId), damages);
        }
        checkManifests(survey, damages);
        checkSpareCheckpoints(survey, damages);
        Map<SegmentRef, EpochManifest> refs = new LinkedHashMap<>();
        boolean sealed = false;
        for (EpochSurvey.Seen seen : survey.epochs()) {
            sealed |= seen.isEncrypted();
            seen.manifest().ifPresent(manifest -> manifest.segments().forEach(ref -> refs.putIfAbsent(ref, manifest)));
        }
        boolean opens = !sealed || fitting.isPresent();
        SegmentObjects segments = new SegmentObjects(store, keys::current);
        Map<SegmentRef, SegmentCheck.Result> damaged = checkSegments(vmId, refs, segments, sealed, opens);
        for (Map.Entry<SegmentRef, SegmentCheck.Result> found : damaged.entrySet()) {
            damages.add(new Damage(
                    found.getKey().key(),
                    found.getValue().what(),
                    new LossOfPages(segments, found.getKey(), found.getValue()).costs(survey)));
        }
        Set<Long> hit = new LinkedHashSet<>();
        damages.forEach(damage -> damage.costs().forEach(cost -> hit.add(cost.epoch())));
        return new Report(
                vmId,
                survey.epochs().size(),
                refs.size(),
                refs.keySet().stream().mapToLong(SegmentRef::lengthBytes).sum(),
                opens,
                survey.epochs().stream()
                        .filter(seen -> seen.manifest().isPresent() && !hit.contains(seen.epoch()))
                        .map(EpochSurvey.Seen::epoch)
                        .findFirst(),
                damages);
    }

    /** Names every VM in the store. */
    public List<String> vms() {
        return VmObjects.listAll(store).vms().stream().map(VmObjects::vmId).toList();
    }

    private void checkOwners(VmObjects objects, List<Damage> damages) {
        for (Entry entry : objects.owners()) {
            try {
                store.get(entry.key()).ifPresent(content -> Records.owner(entry.key(), content));
            } catch (DamagedObjectException e) {
                damages.add(new Damage(entry.key(), e.getMessage(), List.of()));
            }
        }
    }

    /** Whether the data key of an encrypted VM can be unwrapped, as far as that shows without its wrapper. */
    private boolean checkDataKey(EpochSurvey survey, List<Damage> damages) {
        VmObjects objects = survey.objects();
        List<Cost> all = new ArrayList<>();
        survey.epochs().stream().filter(EpochSurvey.Seen::isEncrypted).forEach(seen -> all.addAll(all(seen)));
        if (!all.isEmpty() && objects.dataKeys().isEmpty()) {
            String name = new Keys(objects.vmId()).dataKeyPrefix();
            damages.add(new Damage(name, "the data key of VM " + objects.vmId() + " is missing", all));
            return false;
        }
        boolean whole = true;
        for (Entry entry : objects.dataKeys()) {
            try {
                store.get(entry.key()).ifPresent(content -> Records.wrappedKey(entry.key(), content));
            } catch (DamagedObjectException e) {
                damages.add(new Damage(entry.key(), e.getMessage(), all));
                whole = false;
            }
        }
        return whole;
    }

    private static void checkManifests(EpochSurvey survey, List<Damage> damages) {
        Map<String, Damage> byObject = new LinkedHashMap<>();
        for (EpochSurvey.Seen seen : survey.epochs()) {
            if (seen.manifest().isEmpty()) {
                // A damaged checkpoint costs several epochs.
                byObject.computeIfAbsent(
                                seen.culprit(),
                                object -> new Damage(object, seen.damage().orElse(""), new ArrayList<>()))
                        .costs()
                        .addAll(all(seen));
            }
        }
        damages.addAll(byObject.values());
    }

    /** Those that no epoch refers to, yet or any more. */
    private void checkSpareCheckpoints(EpochSurvey survey, List<Damage> damages) {
        Set<String> seen = new LinkedHashSet<>();
        for (EpochSurvey.Seen epoch : survey.epochs()) {
            seen.add(epoch.culprit());
            epoch.manifest().flatMap(EpochManifest::checkpoint).ifPresent(ref -> seen.add(ref.key()));
        }
        for (String object : survey.objects().checkpoints().keySet()) {
            try {
                if (!seen.contains(object)) {
                    store.get(object).ifPresent(content -> Records.checkpoint(object, content));
                }
            } catch (DamagedObjectException e) {
                damages.add(new Damage(object, e.getMessage(), List.of()));
            }
        }
    }

    private void checkSeals(EpochSurvey survey, VmKeys keys, Checkpoints checkpoints, List<Damage> damages) {
        for (EpochSurvey.Seen seen : survey.epochs()) {
            try {
                if (seen.manifest().isPresent()) {
                    store.get(seen.key())
                            .ifPresent(content -> Records.manifest(seen.key(), content, keys, checkpoints));
                }
            } catch (DamagedObjectException e) {
                damages.add(new Damage(seen.key(), e.getMessage(), all(seen)));
            }
        }
    }

    private static List<Cost> all(EpochSurvey.Seen seen) {
        return List.of(new Cost(seen.epoch(), true, List.of()));
    }

    private Map<SegmentRef, SegmentCheck.Result> checkSegments(
            String vmId, Map<SegmentRef, EpochManifest> refs, SegmentObjects segments, boolean sealed, boolean opens) {
        Map<SegmentRef, SegmentCheck.Result> damaged = new LinkedHashMap<>();
        StoreSettings settings = StoreSettings.DEFAULT;
        ExecutorService threads = StoreThreads.pool("store-verify-" + vmId, settings.readThreads());
        ThreadLocal<SegmentCheck> checks =
                ThreadLocal.withInitial(() -> new SegmentCheck(store, segments, sealed, opens));
        try {
            Deque<Map.Entry<SegmentRef, Future<SegmentCheck.Result>>> ahead = new ArrayDeque<>();
            List<SegmentRef> waiting = new ArrayList<>(refs.keySet());
            int next = 0;
            int done = 0;
            while (done < waiting.size()) {
                // A bounded number at once.
                while (next < waiting.size() && ahead.size() < 2 * settings.readThreads()) {
                    SegmentRef ref = waiting.get(next++);
                    VmShape shape = refs.get(ref).shape();
                    ahead.add(Map.entry(ref, threads.submit(() -> checks.get().check(ref, shape))));
                }
                Map.Entry<SegmentRef, Future<SegmentCheck.Result>> first = ahead.remove();
                SegmentCheck.Result result = StoreThreads.await(
                        first.getValue(),
                        settings.waitLimitMs(),
                        "reading " + first.getKey().key() + " from " + store.describe());
                if (!result.isWhole()) {
                    damaged.put(first.getKey(), result);
                }
                progress.accept(++done, waiting.size());
            }
        } finally {
            threads.shutdownNow();
        }
        return damaged;
    }
}
