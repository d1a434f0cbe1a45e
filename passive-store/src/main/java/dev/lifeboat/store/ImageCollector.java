// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.ObjectStore.Entry;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Deletes base images that no epoch of any VM names, and copies of those that are named beyond the first; may run beside
 * everything else, and may die at any point. Used by one thread.
 *
 * <p>A VM that starts relies on an image before an epoch names it, so it leaves a mark of use, and then looks whether the
 * copy is marked as going; here it is the other way round. One of the two sees the other's mark, whatever the order
 * ({@link BaseImages#publish}).
 */
public final class ImageCollector {
    /** From the start of a VM to its first epoch, with much to spare: a VM without any epoch for a day is broken. */
    public static final long GRACE_MS = 24 * 3_600_000L;

    private final ObjectStore store;
    private final long graceMs;
    private final LongSupplier wallClockMs;

    /**
     * What was deleted, or would be.
     *
     * @param copies prefixes of their keys
     * @param bytes of all that was deleted
     * @param notes why something was left
     */
    public record Result(List<String> copies, long bytes, List<String> notes) {}

    /** @param graceMs a copy that somebody began to use or to send within this time is left alone */
    public ImageCollector(ObjectStore store, long graceMs) {
        this(store, graceMs, System::currentTimeMillis);
    }

    ImageCollector(ObjectStore store, long graceMs, LongSupplier wallClockMs) {
        this.store = store;
        this.graceMs = graceMs;
        this.wallClockMs = wallClockMs;
    }

    /**
     * @param dryRun only says what it would do
     * @throws StoreException also when a manifest is of a format that this Lifeboat does not read
     */
    public Result collect(boolean dryRun) {
        List<String> notes = new ArrayList<>();
        // Images before VMs: an image that comes meanwhile is not among the candidates.
        List<ImageCopy> copies = ImageCopy.listAll(store);
        Optional<Set<String>> named = named(notes);
        if (named.isEmpty()) {
            return new Result(List.of(), 0, notes);
        }
        List<ImageCopy> candidates = candidates(copies, named.get(), dryRun, notes);
        if (!dryRun) {
            candidates.forEach(copy -> store.put(copy.goingKey(), ImageCopy.mark()));
            candidates = stillUnused(candidates, notes);
        }
        long bytes = 0;
        for (ImageCopy copy : candidates) {
            bytes += copy.storedBytes();
            if (!dryRun) {
                delete(copy);
            }
        }
        return new Result(candidates.stream().map(ImageCopy::prefix).toList(), bytes, notes);
    }

    /** The images that any epoch of any VM needs; empty when that cannot be known. */
    private Optional<Set<String>> named(List<String> notes) {
        Set<String> named = new HashSet<>();
        for (VmObjects vm : VmObjects.listAll(store).vms()) {
            for (EpochSurvey.Seen seen : EpochSurvey.of(store, vm).epochs()) {
                if (seen.manifest().isEmpty()) {
                    notes.add("no base image is deleted, because it is not known which ones epoch " + seen.epoch()
                            + " of VM " + vm.vmId() + " needs: " + seen.damage().orElse(""));
                    return Optional.empty();
                }
                seen.manifest()
                        .get()
                        .shape()
                        .disks()
                        .forEach(disk -> disk.baseImage().ifPresent(named::add));
            }
        }
        return Optional.of(named);
    }

    private List<ImageCopy> candidates(List<ImageCopy> copies, Set<String> named, boolean dryRun, List<String> notes) {
        long since = wallClockMs.getAsLong() - graceMs;
        Set<String> kept = new HashSet<>();
        for (boolean going : new boolean[] {false, true}) {
            for (ImageCopy copy : copies) {
                if (named.contains(copy.id()) && copy.isWhole() && copy.isGoing() == going && kept.add(copy.id())) {
                    kept.add(copy.prefix());
                    if (going && !dryRun) {
                        // Somebody died deleting it, and it is the only one that is left.
                        store.delete(copy.goingKey());
                    }
                }
            }
        }
        List<ImageCopy> candidates = new ArrayList<>();
        int young = 0;
        for (ImageCopy copy : copies) {
            if (kept.contains(copy.prefix())) {
                if (!dryRun) {
                    // Each start of a VM leaves one.
                    copy.usesUntil(since).forEach(store::delete);
                }
                continue;
            }
            if (copy.isUsedSince(since)) {
                young++;
            } else {
                candidates.add(copy);
            }
        }
        noteYoung(young, notes);
        return candidates;
    }

    private void noteYoung(int young, List<String> notes) {
        if (young > 0) {
            notes.add(young
                    + " copies of base images that no epoch needs are left, because a VM may just be starting with"
                    + " one; they go " + graceMs / 1000 + " s after they were last used");
        }
    }

    /** Of those that are marked as going now; the mark is taken off the others. */
    private List<ImageCopy> stillUnused(List<ImageCopy> marked, List<String> notes) {
        Set<String> prefixes = new HashSet<>();
        marked.forEach(copy -> prefixes.add(copy.prefix()));
        Optional<Set<String>> named = named(notes);
        List<ImageCopy> now = ImageCopy.listAll(store);
        Set<String> whole = new HashSet<>();
        now.stream()
                .filter(copy -> copy.isWhole() && !prefixes.contains(copy.prefix()))
                .forEach(copy -> whole.add(copy.id()));
        long since = wallClockMs.getAsLong() - graceMs;
        List<ImageCopy> unused = new ArrayList<>();
        int young = 0;
        for (ImageCopy copy : now) {
            if (!prefixes.contains(copy.prefix())) {
                continue;
            }
            boolean needed = named.isEmpty() || named.get().contains(copy.id()) && !whole.contains(copy.id());
            if (needed || copy.isUsedSince(since)) {
                young += needed ? 0 : 1;
                store.delete(copy.goingKey());
            } else {
                unused.add(copy);
            }
        }
        noteYoung(young, notes);
        return unused;
    }

    /** The manifest first, so that nobody begins to read it; the mark last, so that the next run finishes it. */
    private void delete(ImageCopy copy) {
        store.delete(copy.manifestKey());
        for (Entry entry : copy.entries()) {
            if (!entry.key().equals(copy.manifestKey()) && !entry.key().equals(copy.goingKey())) {
                store.delete(entry.key());
            }
        }
        store.delete(copy.goingKey());
    }
}
