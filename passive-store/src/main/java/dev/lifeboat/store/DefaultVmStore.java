// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The epochs and owner records of one VM on an {@link ObjectStore}, which stays its opener's to close. */
public final class DefaultVmStore implements VmStore {
    private static final Logger LOG = LoggerFactory.getLogger(DefaultVmStore.class);
    /** Only a few manifests are kept; this leaves room for foreign objects among them. */
    private static final int MANIFESTS_LISTED = 1000;

    private final ObjectStore store;
    private final String vmId;
    private final StoreSettings settings;
    private final Keys keys;
    private final OwnerRegistry owners;

    public DefaultVmStore(ObjectStore store, String vmId) {
        this(store, vmId, StoreSettings.DEFAULT);
    }

    public DefaultVmStore(ObjectStore store, String vmId, StoreSettings settings) {
        this.store = store;
        this.vmId = vmId;
        this.settings = settings;
        keys = new Keys(vmId);
        owners = new ObjectOwnerRegistry(store, vmId);
    }

    @Override
    public String vmId() {
        return vmId;
    }

    @Override
    public OwnerRegistry owners() {
        return owners;
    }

    /**
     * {@inheritDoc}
     *
     * <p>The first epoch must carry every page that may differ from {@link #newestWhole()}: all of them, zero pages
     * too, when the memory does not come from it.
     */
    @Override
    public EpochWriter writer(OwnerRecord owner, VmShape shape) {
        if (!owner.vmId().equals(vmId)) {
            throw new IllegalArgumentException("not a record of VM " + vmId + ": " + owner);
        }
        List<Long> numbers = epochNumbers();
        long nextEpoch = numbers.isEmpty() ? 1 : numbers.get(0) + 1;
        LivePages live = new LivePages(shape);
        Optional<Whole> base = findWhole(numbers);
        if (base.isPresent() && !base.get().manifest().shape().equals(shape)) {
            throw new StoreException("VM " + vmId + " in " + store.describe() + " has "
                    + base.get().manifest().shape() + ", not " + shape + ": give the new VM another id");
        }
        base.ifPresent(whole -> whole.indexes().forEach(live::add));
        List<EpochManifest> history = new ArrayList<>();
        for (long number : numbers) {
            readManifest(number).map(Stored::manifest).ifPresent(history::add);
        }
        Collections.reverse(history);
        long committed = base.map(whole -> whole.manifest().epoch()).orElse(0L);
        int committedCrc = base.map(Whole::crc32c).orElse(0);
        return new DefaultEpochWriter(
                store, owners, owner, settings, shape, live, history, committed, committedCrc, nextEpoch);
    }

    @Override
    public Optional<EpochManifest> newestWhole() {
        return findWhole(epochNumbers()).map(Whole::manifest);
    }

    @Override
    public Optional<EpochManifest> epoch(long number) {
        return stored(number).map(Stored::manifest);
    }

    @Override
    public RestoreStats restore(EpochManifest manifest, int space, PageSink sink) {
        return new Restore(store, settings, manifest, space, sink).run();
    }

    /** @param crc32c of the manifest as an object */
    private record Stored(EpochManifest manifest, int crc32c) {}

    private record Whole(EpochManifest manifest, int crc32c, List<SegmentIndex> indexes) {}

    private Optional<Stored> stored(long number) {
        return store.get(keys.epoch(number)).map(content -> new Stored(parse(number, content), Records.crcOf(content)));
    }

    private Optional<Whole> findWhole(List<Long> newestFirst) {
        for (long number : newestFirst) {
            Optional<Stored> stored = readManifest(number);
            if (stored.isEmpty()) {
                continue;
            }
            EpochManifest manifest = stored.get().manifest();
            try {
                return Optional.of(new Whole(manifest, stored.get().crc32c(), readIndexes(manifest)));
            } catch (DamagedObjectException e) {
                LOG.warn("epoch {} of VM {} is not whole: {}; trying the one before", number, vmId, e.getMessage());
            }
        }
        return Optional.empty();
    }

    /** Numbers of all manifests, newest first. */
    private List<Long> epochNumbers() {
        List<Long> numbers = new ArrayList<>();
        for (String key : store.list(keys.epochPrefix(), MANIFESTS_LISTED)) {
            OptionalLong number = keys.epochOf(key);
            if (number.isPresent()) {
                numbers.add(number.getAsLong());
            } else {
                LOG.warn("ignoring {} in {}: it is not a manifest", key, store.describe());
            }
        }
        return numbers;
    }

    /** Empty when it is damaged or was deleted meanwhile. */
    private Optional<Stored> readManifest(long number) {
        try {
            return stored(number);
        } catch (DamagedObjectException e) {
            LOG.warn("epoch {} of VM {} is not whole: {}; trying the one before", number, vmId, e.getMessage());
            return Optional.empty();
        }
    }

    private EpochManifest parse(long number, ByteBuffer content) {
        String key = keys.epoch(number);
        EpochManifest manifest = Records.manifest(key, content);
        if (!manifest.vmId().equals(vmId) || manifest.epoch() != number) {
            throw new DamagedObjectException("damaged object " + key + ": it is the manifest of epoch "
                    + manifest.epoch() + " of VM " + manifest.vmId());
        }
        return manifest;
    }

    private List<SegmentIndex> readIndexes(EpochManifest manifest) {
        List<Callable<SegmentIndex>> tasks = new ArrayList<>();
        for (SegmentRef ref : manifest.segments()) {
            tasks.add(() -> SegmentIndex.read(store, ref, manifest.shape()));
        }
        List<SegmentIndex> indexes = new ArrayList<>();
        ExecutorService threads = StoreThreads.pool("store-index-" + vmId, settings.readThreads());
        try {
            int from = 0;
            while (from < tasks.size()) {
                // A bounded number at once.
                int to = Math.min(tasks.size(), from + 256);
                for (Future<SegmentIndex> index :
                        threads.invokeAll(tasks.subList(from, to), settings.waitLimitMs(), TimeUnit.MILLISECONDS)) {
                    if (index.isCancelled()) {
                        throw new StoreException("reading the index of epoch " + manifest.epoch() + " from "
                                + store.describe() + " takes longer than " + settings.waitLimitMs() + " ms");
                    }
                    indexes.add(index.get());
                }
                from = to;
            }
            return indexes;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof StoreException known) {
                throw known;
            }
            throw new StoreException("cannot read the index of epoch " + manifest.epoch() + ": " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while reading the index of epoch " + manifest.epoch(), e);
        } finally {
            threads.shutdownNow();
        }
    }
}
