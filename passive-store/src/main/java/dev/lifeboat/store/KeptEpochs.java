// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Committed epochs whose manifests are in the store, oldest first, and what they take there. Used by one thread. */
final class KeptEpochs {
    private final Deque<Kept> kept = new ArrayDeque<>();
    private long newestWhole;

    /** @param manifestBytes length of its manifest, 0 when not known */
    record Kept(
            long epoch,
            long cutAtMillis,
            long manifestBytes,
            List<SegmentRef> segments,
            Optional<CheckpointRef> checkpoint) {
        static Kept of(EpochManifest manifest, long manifestBytes) {
            return new Kept(
                    manifest.epoch(),
                    manifest.cutAtMillis(),
                    manifestBytes,
                    manifest.segments(),
                    manifest.checkpoint());
        }
    }

    /** @param newestWhole it and what is newer is never taken out; 0 when there is none */
    KeptEpochs(long newestWhole) {
        this.newestWhole = newestWhole;
    }

    /** An epoch that has just been committed. */
    void committed(Kept epoch) {
        kept.add(epoch);
        newestWhole = epoch.epoch();
    }

    /** Another one, of which it is not known whether it is whole. */
    void add(Kept epoch) {
        kept.add(epoch);
    }

    List<Kept> list() {
        return List.copyOf(kept);
    }

    /** Bytes of all objects, where some segments are in no manifest yet. */
    long storeBytes(Collection<SegmentRef> unlisted) {
        Set<String> counted = new HashSet<>();
        long bytes = 0;
        for (SegmentRef segment : unlisted) {
            bytes += counted.add(segment.key()) ? segment.lengthBytes() : 0;
        }
        for (Kept epoch : kept) {
            bytes += epoch.manifestBytes();
            if (epoch.checkpoint().isPresent()) {
                CheckpointRef checkpoint = epoch.checkpoint().get();
                bytes += counted.add(checkpoint.key()) ? checkpoint.lengthBytes() : 0;
            }
            for (SegmentRef segment : epoch.segments()) {
                bytes += counted.add(segment.key()) ? segment.lengthBytes() : 0;
            }
        }
        return bytes;
    }

    /** Takes out what the policy does not keep. */
    List<Kept> dropOld(RetentionPolicy policy, long nowMs) {
        List<Kept> dropped = new ArrayList<>();
        while (kept.size() > policy.keepLast()
                && canGo()
                && (policy.keepForMillis() == 0 || kept.peek().cutAtMillis() < nowMs - policy.keepForMillis())) {
            dropped.add(kept.remove());
        }
        return dropped;
    }

    /**
     * Takes out epochs until the store is small enough, but never the newest whole one.
     *
     * @param expectedBytes that will come before the next time
     */
    List<Kept> dropEarly(Collection<SegmentRef> unlisted, long expectedBytes, long limitBytes) {
        List<Kept> dropped = new ArrayList<>();
        while (canGo() && storeBytes(unlisted) + expectedBytes > limitBytes) {
            dropped.add(kept.remove());
        }
        return dropped;
    }

    private boolean canGo() {
        return !kept.isEmpty() && kept.peek().epoch() < newestWhole;
    }
}
