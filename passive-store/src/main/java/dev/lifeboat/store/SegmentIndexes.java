// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;

/**
 * The segment indexes of one epoch: all of them once, in fold order, and after that each when it is asked for. Those
 * used last are kept in memory, up to a limit. Thread-safe.
 */
final class SegmentIndexes {
    /** 16 GiB of memory in full runs have 6 MiB of indexes; a guest of scattered writes may have ten times that. */
    private static final long KEPT_BYTES = 64L << 20;
    /** Small requests: more of them than of ranges at once. */
    private static final int AHEAD = 16;
    /** Not worth threads. */
    private static final int FEW = 2;

    private final SegmentObjects objects;
    private final EpochManifest manifest;
    private final VmShape shape;
    private final LinkedHashMap<Integer, SegmentIndex> kept = new LinkedHashMap<>(16, 0.75f, true);
    private long keptBytes;

    SegmentIndexes(SegmentObjects objects, EpochManifest manifest) {
        this.objects = objects;
        this.manifest = manifest;
        shape = manifest.shape();
    }

    /** Takes an index; one thread, in fold order. */
    interface Visitor {
        void visit(int segment, SegmentIndex index);
    }

    /**
     * Reads all indexes, several at once.
     *
     * @throws DamagedObjectException naming the first damaged segment: the epoch is not whole
     */
    void visitAll(StoreSettings settings, Visitor visitor) {
        if (manifest.segments().size() <= FEW || settings.readThreads() == 1) {
            for (int segment = 0; segment < manifest.segments().size(); segment++) {
                visitor.visit(segment, get(segment));
            }
            return;
        }
        ExecutorService threads = StoreThreads.pool("store-index-" + manifest.vmId(), AHEAD);
        String task = "reading the indexes of epoch " + manifest.epoch() + " of VM " + manifest.vmId() + " from "
                + objects.describe();
        try {
            Deque<Future<SegmentIndex>> ahead = new ArrayDeque<>();
            int next = 0;
            for (int segment = 0; segment < manifest.segments().size(); segment++) {
                while (next < manifest.segments().size() && ahead.size() < AHEAD) {
                    int wanted = next++;
                    ahead.add(threads.submit(() -> get(wanted)));
                }
                visitor.visit(segment, StoreThreads.await(ahead.remove(), settings.waitLimitMs(), task));
            }
        } finally {
            threads.shutdownNow();
        }
    }

    SegmentIndex get(int segment) {
        synchronized (kept) {
            SegmentIndex index = kept.get(segment);
            if (index != null) {
                return index;
            }
        }
        SegmentRef ref = manifest.segments().get(segment);
        SegmentIndex index = SegmentIndex.read(objects, ref, shape);
        synchronized (kept) {
            if (kept.put(segment, index) == null) {
                keptBytes += index.lengthBytes();
            }
            var eldest = kept.entrySet().iterator();
            while (keptBytes > KEPT_BYTES && kept.size() > 1) {
                Map.Entry<Integer, SegmentIndex> dropped = eldest.next();
                keptBytes -= dropped.getValue().lengthBytes();
                eldest.remove();
            }
        }
        return index;
    }
}
