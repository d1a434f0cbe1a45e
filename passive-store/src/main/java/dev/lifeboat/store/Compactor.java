// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.LivePages.Segment;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs one {@link Compaction} at a time behind the writer, whose thread calls this. */
final class Compactor {
    private static final Logger LOG = LoggerFactory.getLogger(Compactor.class);
    /** After failures in a row it waits for so many epochs at most. */
    private static final int MAX_PAUSE_EPOCHS = 64;

    private final ObjectStore store;
    private final SegmentObjects objects;
    private final VmShape shape;
    private final StoreSettings settings;
    private final Keys keys;
    private final LivePages live;
    private final ExecutorService thread;

    private Compaction compaction;
    private Future<Compaction.Result> result;
    private long startedNs;
    private int failures;
    private long completed;
    private int pauseEpochs;

    Compactor(
            ObjectStore store,
            SegmentObjects objects,
            String vmId,
            VmShape shape,
            StoreSettings settings,
            LivePages live) {
        this.store = store;
        this.objects = objects;
        this.shape = shape;
        this.settings = settings;
        this.live = live;
        keys = new Keys(vmId);
        thread = StoreThreads.pool("store-compact-" + vmId, 1);
    }

    /** Begins another one when none runs and something is worth it. */
    void start(List<Segment> segments, long epoch, long maxLiveBytes, double fullness) {
        if (!settings.compaction() || result != null || pauseEpochs-- > 0) {
            return;
        }
        pauseEpochs = 0;
        List<Segment> window = CompactionPlan.choose(segments, maxLiveBytes, settings.maxSegmentBytes(), fullness);
        if (window.isEmpty()) {
            return;
        }
        String nonce = UUID.randomUUID().toString().replace("-", "").substring(16);
        window.forEach(segment -> segment.pinned = true);
        compaction = new Compaction(store, objects, shape, settings, live, window, n -> keys.segment(epoch, n, nonce));
        startedNs = System.nanoTime();
        result = thread.submit(compaction);
    }

    /** Bytes that the running one may still add to the store. */
    long expectedBytes() {
        return result == null
                ? 0
                : compaction.window().stream().mapToLong(Segment::liveBytes).sum();
    }

    /**
     * The copies that are ready, which the next manifest may list in the place of what they were made from. A failed
     * compaction changes nothing.
     *
     * @param waitMs for the one that runs
     */
    Optional<Compaction.Result> ready(long waitMs) {
        if (result == null) {
            return Optional.empty();
        }
        try {
            Compaction.Result made = result.get(waitMs, TimeUnit.MILLISECONDS);
            failures = 0;
            if (TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startedNs) <= settings.segmentMaxAgeMs()) {
                return Optional.of(made);
            }
            // A manifest that was tried and may still appear could list them, so they are left to "store gc".
            LOG.info(
                    "{} compacted segments are too old to be listed and are left as garbage",
                    made.copies().size());
        } catch (TimeoutException e) {
            return Optional.empty(); // it still runs
        } catch (ExecutionException e) {
            failures++;
            pauseEpochs = Math.min(1 << Math.min(failures, 30), MAX_PAUSE_EPOCHS);
            LOG.warn("segments were not compacted, the next try is in {} epochs: {}", pauseEpochs, e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while waiting for a compaction", e);
        }
        release();
        return Optional.empty();
    }

    /** A durable manifest lists what is {@link #ready}. */
    void committed(Compaction.Result made) {
        live.swap(made.window(), made.copies());
        completed++;
        release();
    }

    private void release() {
        compaction.window().forEach(segment -> segment.pinned = false);
        compaction = null;
        result = null;
    }

    /** How many have taken the place of older segments. */
    long completed() {
        return completed;
    }

    /** Stops it. */
    void close() {
        if (result != null) {
            compaction.stop();
            try {
                // Copies that are complete may be in a manifest whose outcome is not clear: they stay.
                result.get(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
            } catch (ExecutionException | TimeoutException e) {
                LOG.debug("the compaction that was stopped", e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            release();
        }
        thread.shutdown();
    }
}
