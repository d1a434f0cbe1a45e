// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds segments off-heap and uploads them behind the caller's back. One thread calls it; {@code store-upload-*}
 * threads put segments, {@code store-clean-*} deletes what no kept manifest needs.
 *
 * <p>The fold of pages is changed only after a manifest is durable, so a failed epoch leaves nothing to undo.
 */
final class DefaultEpochWriter implements EpochWriter {
    private static final Logger LOG = LoggerFactory.getLogger(DefaultEpochWriter.class);

    private final ObjectStore store;
    private final SegmentObjects objects;
    private final VmKeys vmKeys;
    private final OwnerRegistry owners;
    private final Keys keys;
    private final OwnerRecord owner;
    private final StoreSettings settings;
    private final VmShape shape;
    /** Makes segment keys unique: also those of an epoch number tried twice. */
    private final String nonce = UUID.randomUUID().toString().replace("-", "").substring(16);

    private final ExecutorService uploaders;
    private final ExecutorService cleaner;
    private final CleanUp cleaning;
    /** Bounds memory and uploads in flight: an append without a free builder waits. */
    private final BlockingQueue<SegmentBuilder> free;

    private final List<SegmentBuilder> builders = new ArrayList<>();
    private final List<Upload> uploads = new ArrayList<>();
    private final EpochRuns runs = new EpochRuns();
    private final LivePages live;
    /** Committed manifests that are still kept, oldest first. */
    private final Deque<Kept> kept = new ArrayDeque<>();

    private SegmentBuilder current;
    private long committedEpoch;
    private int committedCrc32c;
    private long nextEpoch;
    private long segmentNumber;
    private long bytesInEpoch;
    private boolean manifestTried;
    private boolean closed;

    private record Upload(String key, Future<SegmentRef> done) {}

    /** A committed epoch of which the manifest is in the store. */
    record Kept(long epoch, List<SegmentRef> segments) {}

    /**
     * @param base the fold of the epoch to continue from
     * @param history kept manifests, oldest first
     * @param committedCrc32c of that epoch's manifest
     * @param nextEpoch higher than every epoch number in use
     */
    DefaultEpochWriter(
            ObjectStore store,
            SegmentObjects objects,
            VmKeys vmKeys,
            OwnerRegistry owners,
            OwnerRecord owner,
            StoreSettings settings,
            VmShape shape,
            LivePages base,
            List<EpochManifest> history,
            long committedEpoch,
            int committedCrc32c,
            long nextEpoch,
            LongSupplier wallClockMs) {
        this.store = store;
        this.objects = objects;
        this.vmKeys = vmKeys;
        this.owners = owners;
        this.owner = owner;
        this.settings = settings;
        this.shape = shape;
        this.live = base;
        this.committedEpoch = committedEpoch;
        this.committedCrc32c = committedCrc32c;
        this.nextEpoch = nextEpoch;
        keys = new Keys(owner.vmId());
        for (EpochManifest manifest : history) {
            kept.add(new Kept(manifest.epoch(), manifest.segments()));
        }
        free = new ArrayBlockingQueue<>(settings.uploadThreads() + 1);
        for (int i = 0; i <= settings.uploadThreads(); i++) {
            SegmentBuilder builder = new SegmentBuilder(settings.segmentBytes());
            builders.add(builder);
            free.add(builder);
        }
        uploaders = StoreThreads.pool("store-upload-" + owner.vmId(), settings.uploadThreads());
        cleaner = StoreThreads.pool("store-clean-" + owner.vmId(), 1);
        cleaning = new CleanUp(store, owner.vmId(), wallClockMs);
    }

    @Override
    public void append(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c) {
        int payloadBytes = payload.remaining();
        if (pageCount < 1
                || pageCount > RunCodec.MAX_RUN_PAGES
                || firstPage < 0
                || firstPage > shape.pages(space) - pageCount
                || !RunCodec.isPlausible(encoding, payloadBytes, pageCount)) {
            throw new IllegalArgumentException("not a run: space " + space + ", page " + firstPage + ", " + pageCount
                    + " pages, encoding " + encoding + ", " + payloadBytes + " bytes, in a VM of " + shape);
        }
        if (current != null && !current.fits(payloadBytes)) {
            seal();
        }
        if (current == null) {
            checkUploads();
            current = takeBuilder();
        }
        current.append(space, firstPage, pageCount, encoding, payload, crc32c);
        runs.add(space, firstPage, pageCount, encoding == RunCodec.DELTA);
        bytesInEpoch += payloadBytes;
    }

    @Override
    public long bytesInEpoch() {
        return bytesInEpoch;
    }

    private SegmentBuilder takeBuilder() {
        try {
            SegmentBuilder builder = free.poll(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
            if (builder == null) {
                throw new StoreException("uploads to " + store.describe() + " made no progress for "
                        + settings.waitLimitMs() + " ms: check the store and the network to it");
            }
            builder.reset();
            return builder;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while waiting for uploads to " + store.describe(), e);
        }
    }

    /** Tells of a failed upload at the next segment, not only at the commit. */
    private void checkUploads() {
        for (Upload upload : uploads) {
            if (upload.done().isDone()) {
                await(upload);
            }
        }
    }

    private void seal() {
        SegmentBuilder builder = current;
        current = null;
        runs.endSegment();
        String key = keys.segment(nextEpoch, segmentNumber++, nonce);
        try {
            uploads.add(new Upload(key, uploaders.submit(() -> upload(key, builder))));
        } catch (RejectedExecutionException e) {
            free.add(builder);
            throw new StoreException("the epoch writer of VM " + owner.vmId() + " is closed", e);
        }
    }

    private SegmentRef upload(String key, SegmentBuilder builder) {
        try {
            ByteBuffer content = builder.seal();
            objects.put(key, content);
            return new SegmentRef(key, content.limit(), builder.indexCrc32c(), builder.runs());
        } finally {
            free.add(builder);
        }
    }

    private SegmentRef await(Upload upload) {
        try {
            return upload.done().get(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            String reason =
                    e.getCause() instanceof StoreException ? e.getCause().getMessage() : String.valueOf(e.getCause());
            throw new StoreException("the epoch cannot be committed: " + reason, e.getCause());
        } catch (TimeoutException e) {
            throw new StoreException(
                    "the upload of " + upload.key() + " to " + store.describe() + " takes longer than "
                            + settings.waitLimitMs() + " ms: check the store and the network to it",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while waiting for uploads to " + store.describe(), e);
        }
    }

    @Override
    public EpochManifest commit(String vmDescription, byte[] state, long cutAtMillis) {
        if (current != null) {
            seal();
        }
        List<SegmentRef> added = new ArrayList<>();
        for (Upload upload : uploads) {
            added.add(await(upload));
        }
        checkStillOwner();
        List<SegmentRef> segments = new ArrayList<>();
        live.live().forEach(segment -> segments.add(segment.ref));
        segments.addAll(added);
        EpochManifest manifest = putManifest(segments, vmDescription, state, cutAtMillis);
        runs.foldInto(live, added);
        committedEpoch = manifest.epoch();
        nextEpoch = manifest.epoch() + 1;
        clearEpoch();
        kept.add(new Kept(manifest.epoch(), manifest.segments()));
        cleanUp();
        return manifest;
    }

    private void checkStillOwner() {
        Optional<OwnerRecord> newest = owners.newest();
        if (newest.isPresent()
                && (newest.get().term() > owner.term()
                        || newest.get().term() == owner.term()
                                && !newest.get().nonce().equals(owner.nonce()))) {
            throw fenced("host " + newest.get().host() + " owns it under term "
                    + newest.get().term());
        }
    }

    private EpochManifest putManifest(List<SegmentRef> segments, String vmDescription, byte[] state, long cutAtMillis) {
        manifestTried = true;
        while (true) {
            EpochManifest manifest = new EpochManifest(
                    EpochManifest.VERSION,
                    owner.vmId(),
                    nextEpoch,
                    owner.term(),
                    owner.nonce(),
                    committedEpoch,
                    committedCrc32c,
                    shape.memoryPages(),
                    shape.disks(),
                    segments,
                    vmDescription,
                    state,
                    cutAtMillis);
            String key = keys.epoch(nextEpoch);
            ByteBuffer content = Records.bytes(manifest, key, vmKeys.current());
            Optional<ByteBuffer> standing = PutOnce.put(store, key, content);
            if (standing.isEmpty()) {
                committedCrc32c = Records.crcOf(content);
                return manifest;
            }
            passBy(Records.manifest(key, standing.get(), vmKeys));
            nextEpoch++;
        }
    }

    /** A manifest stands where ours should: see "Fencing" in docs/store-format.md. */
    private void passBy(EpochManifest standing) {
        boolean ownLateWrite =
                standing.term() == owner.term() && standing.nonce().equals(owner.nonce());
        if (standing.term() >= owner.term() && !ownLateWrite) {
            throw fenced("epoch " + standing.epoch() + " was committed under term " + standing.term());
        }
        LOG.info(
                "epoch {} of VM {} is a late write under term {}; going on with the next number",
                standing.epoch(),
                owner.vmId(),
                standing.term());
        // Its segments must outlive it: until it is deleted a restore may choose it.
        kept.add(new Kept(standing.epoch(), standing.segments()));
    }

    private FencedException fenced(String why) {
        return new FencedException("VM " + owner.vmId() + " is no longer owned by host " + owner.host() + " (term "
                + owner.term() + "): " + why);
    }

    @Override
    public void abandon() {
        if (current != null) {
            free.add(current);
            current = null;
        }
        if (!manifestTried) {
            // Otherwise the manifest may still appear, and then it must find its segments.
            List<Upload> garbage = List.copyOf(uploads);
            clean(() -> garbage.forEach(this::deleteAbandoned));
        }
        clearEpoch();
    }

    private void clearEpoch() {
        uploads.clear();
        runs.clear();
        bytesInEpoch = 0;
        manifestTried = false;
    }

    private void deleteAbandoned(Upload upload) {
        try {
            await(upload);
        } catch (StoreException e) {
            LOG.debug("abandoned {}", upload.key(), e);
        }
        store.delete(upload.key());
    }

    /** The newest manifest is durable: drops those beyond the kept ones, then the segments only they needed. */
    private void cleanUp() {
        List<Kept> dropped = new ArrayList<>();
        while (kept.size() > settings.keepEpochs()) {
            dropped.add(kept.remove());
        }
        if (dropped.isEmpty()) {
            return;
        }
        List<Kept> stillKept = List.copyOf(kept);
        clean(() -> cleaning.drop(dropped, stillKept));
    }

    private void clean(Runnable work) {
        try {
            cleaner.execute(() -> {
                try {
                    work.run();
                } catch (StoreException e) {
                    // Nothing depends on it: what stays is garbage that "store gc" finds.
                    LOG.warn("left garbage in {}: {}", store.describe(), e.getMessage());
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.warn("left garbage in {}: clean-up is far behind", store.describe());
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        abandon();
        uploaders.shutdown();
        cleaner.shutdown();
        try {
            boolean idle = uploaders.awaitTermination(settings.waitLimitMs(), TimeUnit.MILLISECONDS)
                    && cleaner.awaitTermination(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
            if (!idle) {
                LOG.warn("uploads to {} are still running: their buffers are left to them", store.describe());
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return;
        }
        builders.forEach(SegmentBuilder::release);
    }
}
