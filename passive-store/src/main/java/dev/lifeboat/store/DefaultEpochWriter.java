// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.KeptEpochs.Kept;
import dev.lifeboat.store.LivePages.Segment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds segments off-heap and uploads them behind the caller's back. One thread calls it; {@code store-upload-*}
 * threads put segments, {@code store-clean-*} deletes what no kept manifest needs and makes checkpoints, {@code store-compact-*} copies live
 * pages out of segments that are mostly dead.
 *
 * <p>The fold of pages is changed only after a manifest is durable, so a failed epoch leaves nothing to undo.
 */
final class DefaultEpochWriter implements EpochWriter {
    private static final Logger LOG = LoggerFactory.getLogger(DefaultEpochWriter.class);
    /** From here on a commit waits for the compaction that runs: the next epoch needs its room. */
    private static final double NEARLY_FULL = 0.8;
    /** Copied at once: half a minute at what a volume does beside the epochs. */
    private static final long MAX_COMPACTION_BYTES = 256L << 20;
    /** Copied per byte of a usual epoch at least: where half is dead, this frees twice what came. */
    private static final int KEEP_UP = 2;

    private final ObjectStore store;
    private final VmKeys vmKeys;
    private final Checkpoints checkpoints;
    private final CheckpointMaker maker;
    private final OwnerRegistry owners;
    private final Keys keys;
    private final OwnerRecord owner;
    private final StoreSettings settings;
    private final VmShape shape;
    private final LongSupplier wallClockMs;
    /** Makes segment keys unique: also those of an epoch number tried twice. */
    private final String nonce = UUID.randomUUID().toString().replace("-", "").substring(16);

    private final ExecutorService cleaner;
    private final CleanUp cleaning;
    private final SegmentUploads uploads;
    private final Compactor compactor;
    private final EpochRuns runs = new EpochRuns();
    private final LivePages live;
    private final KeptEpochs kept;

    private final long baseEpoch;
    private long committedEpoch;
    private int committedCrc32c;
    private long nextEpoch;
    private long segmentNumber;
    private long bytesInEpoch;
    /** Of all objects, after the last commit. */
    private long storeBytes;
    /** Segment bytes of the last epochs, weighted. */
    private long usualEpochBytes;

    /**
     * Nobody had followed when the last epoch was durable. Then every later owner finds that epoch, which is never dropped
     * here; else a follower may have gone on from an older one, and needs what only that lists.
     */
    private boolean mayDrop = true;

    private boolean manifestTried;
    private boolean closed;

    /**
     * @param fold of the epoch to continue from
     * @param kept manifests in the store
     * @param base the epoch to continue from
     * @param committedCrc32c of that epoch's manifest
     * @param nextEpoch higher than every epoch number in use
     */
    DefaultEpochWriter(
            ObjectStore store,
            SegmentObjects objects,
            VmKeys vmKeys,
            Checkpoints checkpoints,
            OwnerRegistry owners,
            OwnerRecord owner,
            StoreSettings settings,
            VmShape shape,
            LivePages fold,
            KeptEpochs kept,
            Optional<EpochManifest> base,
            int committedCrc32c,
            long nextEpoch,
            LongSupplier wallClockMs) {
        // First, as it may fail and nothing is open yet.
        Optional<Checkpoint> checkpoint =
                base.flatMap(EpochManifest::checkpoint).map(checkpoints::get);
        this.store = store;
        this.vmKeys = vmKeys;
        this.checkpoints = checkpoints;
        this.owners = owners;
        this.owner = owner;
        this.settings = settings;
        this.shape = shape;
        this.live = fold;
        this.kept = kept;
        committedEpoch = base.map(EpochManifest::epoch).orElse(0L);
        baseEpoch = committedEpoch;
        this.committedCrc32c = committedCrc32c;
        this.nextEpoch = nextEpoch;
        this.wallClockMs = wallClockMs;
        keys = new Keys(owner.vmId());
        storeBytes = kept.storeBytes(List.of());
        uploads = new SegmentUploads(objects, settings, owner.vmId());
        compactor = new Compactor(store, objects, owner.vmId(), shape, settings, live);
        cleaner = StoreThreads.pool("store-clean-" + owner.vmId(), 1);
        maker = new CheckpointMaker(
                store,
                checkpoints,
                owner.vmId(),
                settings,
                cleaner,
                checkpoint,
                base.map(EpochManifest::segments).orElse(List.of()),
                nonce);
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
        if (uploads.isFull(payloadBytes)) {
            seal();
        }
        uploads.append(space, firstPage, pageCount, encoding, payload, crc32c);
        runs.add(space, firstPage, pageCount, encoding == RunCodec.DELTA);
        bytesInEpoch += payloadBytes;
    }

    @Override
    public long baseEpoch() {
        return baseEpoch;
    }

    @Override
    public long bytesInEpoch() {
        return bytesInEpoch;
    }

    private void seal() {
        runs.endSegment();
        uploads.seal(keys.segment(nextEpoch, segmentNumber++, nonce));
        makeRoom(uploads.sealedBytes() + compactor.expectedBytes());
    }

    @Override
    public EpochManifest commit(String vmDescription, byte[] state, long cutAtMillis) {
        if (uploads.isBuilding()) {
            seal();
        }
        List<SegmentRef> added = uploads.awaitAll();
        checkAge();
        Optional<Compaction.Result> compacted = compactor.ready(isNearlyFull() ? settings.waitLimitMs() : 0);
        checkStillOwner();
        List<SegmentRef> segments = live.refs(compacted);
        segments.addAll(added);
        EpochManifest manifest = putManifest(segments, vmDescription, state, cutAtMillis);
        compacted.ifPresent(compactor::committed);
        runs.foldInto(live, added);
        committedEpoch = manifest.epoch();
        nextEpoch = manifest.epoch() + 1;
        long epochBytes = uploads.sealedBytes();
        clearEpoch();
        mayDrop = isStillOwner();
        try {
            cleanUp(epochBytes);
        } catch (StoreException e) {
            LOG.warn("clean-up of VM {} in {} is late: {}", owner.vmId(), store.describe(), e.getMessage());
        }
        return manifest;
    }

    private boolean isStillOwner() {
        try {
            checkStillOwner();
            return true;
        } catch (StoreException e) {
            LOG.info("nothing of VM {} is deleted for now: {}", owner.vmId(), e.getMessage());
            return false;
        }
    }

    private boolean isNearlyFull() {
        return storeBytes + uploads.sealedBytes() > NEARLY_FULL * live.limitBytes();
    }

    private void checkAge() {
        if (uploads.ageMs() > settings.segmentMaxAgeMs()) {
            throw new StoreException("the epoch was " + TimeUnit.MILLISECONDS.toMinutes(uploads.ageMs())
                    + " minutes in the making: \"store gc\" may take its first segments for leftovers; its pages are"
                    + " sent again");
        }
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
        Optional<Checkpoint> checkpoint = maker.forManifest(segments.size());
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
                    checkpoint.map(Checkpoint::ref),
                    vmDescription,
                    state,
                    cutAtMillis);
            String key = keys.epoch(nextEpoch);
            ByteBuffer content = Records.bytes(manifest, checkpoint, key, vmKeys.current());
            Optional<ByteBuffer> standing = PutOnce.put(store, key, content);
            if (standing.isEmpty()) {
                committedCrc32c = Records.crcOf(content);
                kept.committed(Kept.of(manifest, content.limit()));
                maker.committed(manifest.epoch(), checkpoint, segments);
                return manifest;
            }
            passBy(Records.manifest(key, standing.get(), vmKeys, checkpoints));
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
        kept.add(Kept.of(standing, 0));
    }

    private FencedException fenced(String why) {
        return new FencedException("VM " + owner.vmId() + " is no longer owned by host " + owner.host() + " (term "
                + owner.term() + "): " + why);
    }

    @Override
    public void abandon() {
        if (!manifestTried) {
            // Otherwise the manifest may still appear, and then it must find its segments.
            clean(uploads.deletion(store));
        }
        clearEpoch();
    }

    private void clearEpoch() {
        uploads.clear();
        runs.clear();
        bytesInEpoch = 0;
        manifestTried = false;
    }

    /** The newest manifest is durable: drops what the policy does not keep, then what there is no room for. */
    private void cleanUp(long epochBytes) {
        List<Segment> segments = live.live();
        if (mayDrop) {
            drop(kept.dropOld(settings.retention(), wallClockMs.getAsLong()));
        }
        storeBytes = kept.storeBytes(live.refs(Optional.empty()));
        makeRoom(epochBytes + compactor.expectedBytes());
        usualEpochBytes += (epochBytes - usualEpochBytes) / 8;
        // Copies stand beside what they were made from until the epochs before are gone: they need room, too.
        long limitBytes = live.limitBytes();
        long roomBytes = (long) (NEARLY_FULL * limitBytes) - storeBytes - epochBytes;
        long maxCopiedBytes = Math.min(MAX_COMPACTION_BYTES, limitBytes / 16 + usualEpochBytes);
        compactor.start(
                segments,
                committedEpoch,
                Math.max(KEEP_UP * usualEpochBytes, Math.min(maxCopiedBytes, roomBytes)),
                (double) storeBytes / limitBytes);
    }

    /** Drops epochs early when what is expected would not fit, and waits for it when the store is nearly full. */
    private void makeRoom(long expectedBytes) {
        long limitBytes = live.limitBytes();
        if (!mayDrop || !settings.retention().goesEarly() || storeBytes + expectedBytes < NEARLY_FULL * limitBytes) {
            return;
        }
        List<SegmentRef> unlisted = live.refs(Optional.empty());
        List<Kept> dropped = kept.dropEarly(unlisted, expectedBytes, (long) (NEARLY_FULL * limitBytes));
        if (!dropped.isEmpty()) {
            drop(dropped);
            storeBytes = kept.storeBytes(unlisted);
            StoreThreads.await(cleaner.submit(() -> null), settings.waitLimitMs(), "the clean-up");
        }
    }

    private void drop(List<Kept> dropped) {
        if (!dropped.isEmpty()) {
            List<Kept> stillKept = kept.list();
            clean(() -> cleaning.drop(dropped, stillKept));
        }
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

    /** Waits for clean-up and compaction; for tests, which have no other sign of their end. */
    void awaitBackground() {
        compactor.ready(settings.waitLimitMs());
        StoreThreads.await(cleaner.submit(() -> null), settings.waitLimitMs(), "the clean-up");
    }

    /** Compactions that became part of an epoch. */
    long compactions() {
        return compactor.completed();
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        abandon();
        compactor.close();
        clean(maker.leftover());
        uploads.shutdown();
        cleaner.shutdown();
        try {
            boolean idle = uploads.release() && cleaner.awaitTermination(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
            if (!idle) {
                LOG.warn("uploads to {} or its clean-up are still running", store.describe());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
