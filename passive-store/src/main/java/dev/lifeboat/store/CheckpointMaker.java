// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which checkpoint a writer's next manifest refers to, and makes new ones of what is committed, on a thread behind the writer,
 * whose own thread calls this: no epoch waits for one.
 */
final class CheckpointMaker {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointMaker.class);

    private final ObjectStore store;
    private final Checkpoints checkpoints;
    private final String vmId;
    private final Keys keys;
    private final StoreSettings settings;
    private final ExecutorService thread;
    private final String nonce;

    /** The one that the newest manifest refers to, so it is there as long as that is. */
    private Optional<Checkpoint> listed;
    /** How much manifests have said instead, since it was made; see {@link SegmentOrder#length}. */
    private long differences;

    private Optional<Fresh> fresh = Optional.empty();
    private int made;

    /** One that no manifest refers to yet. */
    private static final class Fresh {
        final String key;
        final long startedNs;
        final Future<Checkpoint> result;
        /** A manifest that refers to it may stand in the store, or appear there. */
        boolean tried;

        Fresh(String key, long startedNs, Future<Checkpoint> result) {
            this.key = key;
            this.startedNs = startedNs;
            this.result = result;
        }
    }

    /**
     * @param thread the writer's for clean-up
     * @param listed of the epoch to go on from
     * @param segments of that epoch
     * @param nonce makes keys unique
     */
    CheckpointMaker(
            ObjectStore store,
            Checkpoints checkpoints,
            String vmId,
            StoreSettings settings,
            ExecutorService thread,
            Optional<Checkpoint> listed,
            List<SegmentRef> segments,
            String nonce) {
        this.store = store;
        this.checkpoints = checkpoints;
        this.vmId = vmId;
        this.settings = settings;
        this.thread = thread;
        this.listed = listed;
        this.nonce = nonce;
        keys = new Keys(vmId);
        differences = listed.map(checkpoint ->
                        SegmentOrder.of(checkpoint.segments(), segments).length())
                .orElse(0);
    }

    /** What the next manifest may refer to when its epoch has so many segments. */
    Optional<Checkpoint> forManifest(int segments) {
        if (segments < settings.checkpointSegments()) {
            return Optional.empty();
        }
        Optional<Checkpoint> ready = takeReady();
        if (ready.isPresent()) {
            fresh.orElseThrow().tried = true;
            return ready;
        }
        return listed;
    }

    /** Empty when there is none, or not yet, or it failed; or when it may be taken for a leftover by now. */
    private Optional<Checkpoint> takeReady() {
        if (fresh.isEmpty() || !fresh.get().result.isDone()) {
            return Optional.empty();
        }
        try {
            Checkpoint ready = fresh.get().result.get();
            if (TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - fresh.get().startedNs)
                    <= settings.segmentMaxAgeMs()) {
                return Optional.of(ready);
            }
            LOG.info(
                    "checkpoint {} is too old to be referred to and is left as garbage",
                    ready.ref().key());
        } catch (ExecutionException e) {
            LOG.warn(
                    "no checkpoint for VM {}, manifests stay longer: {}",
                    vmId,
                    e.getCause().getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while looking at a checkpoint", e);
        }
        fresh = Optional.empty();
        return Optional.empty();
    }

    /**
     * A manifest is durable.
     *
     * @param used what it refers to
     * @param segments all of its epoch
     */
    void committed(long epoch, Optional<Checkpoint> used, List<SegmentRef> segments) {
        boolean isFresh = used.isPresent() && !used.equals(listed);
        if (isFresh) {
            fresh = Optional.empty();
            differences = 0;
        }
        // Whatever the manifest does not refer to is cleaned away with the older ones.
        listed = used;
        differences += used.map(checkpoint ->
                        SegmentOrder.of(checkpoint.segments(), segments).length())
                .orElse(0);
        boolean due = listed.isEmpty() || differences >= listed.get().segments().size();
        if (due && fresh.isEmpty() && segments.size() >= settings.checkpointSegments()) {
            start(epoch, List.copyOf(segments));
        }
    }

    private void start(long epoch, List<SegmentRef> segments) {
        String key = keys.checkpoint(epoch, made++, nonce);
        long startedNs = System.nanoTime();
        try {
            fresh = Optional.of(new Fresh(key, startedNs, thread.submit(() -> put(key, segments))));
        } catch (RejectedExecutionException e) {
            LOG.warn("no checkpoint for VM {}: clean-up is far behind", vmId);
        }
    }

    private Checkpoint put(String key, List<SegmentRef> segments) {
        ByteBuffer content = Records.bytes(new Checkpoint.Body(Checkpoint.Body.VERSION, vmId, segments));
        if (PutOnce.put(store, key, content).isPresent()) {
            throw new StoreException("object " + key + " in " + store.describe() + " is there already");
        }
        // Read back: every later epoch will depend on it.
        return checkpoints.get(Checkpoints.ref(key, content));
    }

    /** What no manifest can refer to any more is garbage. */
    Runnable leftover() {
        Optional<Fresh> left = fresh.filter(one -> !one.tried);
        return () -> left.ifPresent(one -> store.delete(one.key));
    }
}
