// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.KeptEpochs.Kept;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The epochs and owner records of one VM on an {@link ObjectStore}, which stays its opener's to close. */
public final class DefaultVmStore implements VmStore {
    private static final Logger LOG = LoggerFactory.getLogger(DefaultVmStore.class);
    /** Only a few manifests are kept; this leaves room for foreign objects among them. */
    private static final int MANIFESTS_LISTED = 1000;

    private final ObjectStore store;
    private final VmKeys vmKeys;
    private final SegmentObjects objects;
    private final Checkpoints checkpoints;
    private final LongSupplier wallClockMs;
    private final String vmId;
    private final StoreSettings settings;
    private final Keys keys;
    private final OwnerRegistry owners;

    public DefaultVmStore(ObjectStore store, String vmId) {
        this(store, vmId, StoreSettings.DEFAULT);
    }

    public DefaultVmStore(ObjectStore store, String vmId, StoreSettings settings) {
        this(store, vmId, settings, Optional.empty());
    }

    /** @param key wraps the data key of a VM whose epochs are encrypted */
    public DefaultVmStore(ObjectStore store, String vmId, StoreSettings settings, Optional<KeyWrapper> key) {
        this(store, vmId, settings, key, System::currentTimeMillis);
    }

    DefaultVmStore(ObjectStore store, String vmId, StoreSettings settings, LongSupplier wallClockMs) {
        this(store, vmId, settings, Optional.empty(), wallClockMs);
    }

    private DefaultVmStore(
            ObjectStore store,
            String vmId,
            StoreSettings settings,
            Optional<KeyWrapper> key,
            LongSupplier wallClockMs) {
        this.store = store;
        this.wallClockMs = wallClockMs;
        vmKeys = new VmKeys(store, vmId, key);
        objects = new SegmentObjects(store, vmKeys::current);
        checkpoints = new Checkpoints(store, vmId);
        this.vmId = vmId;
        this.settings = settings;
        keys = new Keys(vmId);
        owners = new ObjectOwnerRegistry(store, vmId);
    }

    /** For those who look at segments themselves. */
    SegmentObjects segmentObjects() {
        return objects;
    }

    private DefaultVmStore(DefaultVmStore other, OwnerRegistry owners) {
        store = other.store;
        vmKeys = other.vmKeys;
        objects = other.objects;
        checkpoints = other.checkpoints;
        wallClockMs = other.wallClockMs;
        vmId = other.vmId;
        settings = other.settings;
        keys = other.keys;
        this.owners = owners;
    }

    /** The same epochs with the owner records of another registry. */
    public VmStore ownedIn(OwnerRegistry registry) {
        return new DefaultVmStore(this, registry);
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
        AtomicReference<LivePages> fold = new AtomicReference<>();
        Optional<Stored> base = findWhole(numbers, manifest -> {
            if (!manifest.shape().equals(shape)) {
                throw new StoreException("VM " + vmId + " in " + store.describe() + " has " + manifest.shape()
                        + ", not " + shape + ": give the new VM another id");
            }
            fold.set(new LivePages(shape));
            return (segment, index) -> fold.get().add(index);
        });
        vmKeys.forWriting(!numbers.isEmpty());
        LivePages live = base.isPresent() ? fold.get() : new LivePages(shape);
        long committed = base.map(stored -> stored.manifest().epoch()).orElse(0L);
        KeptEpochs kept = new KeptEpochs(committed);
        for (int i = numbers.size() - 1; i >= 0; i--) {
            readManifest(numbers.get(i)).ifPresent(stored -> kept.add(Kept.of(stored.manifest(), stored.bytes())));
        }
        int committedCrc = base.map(Stored::crc32c).orElse(0);
        return new DefaultEpochWriter(
                store,
                objects,
                vmKeys,
                checkpoints,
                owners,
                owner,
                settings,
                shape,
                live,
                kept,
                base.map(Stored::manifest),
                committedCrc,
                nextEpoch,
                wallClockMs);
    }

    @Override
    public Optional<EpochManifest> newestWhole() {
        return findWhole(epochNumbers(), manifest -> (segment, index) -> {}).map(Stored::manifest);
    }

    @Override
    public Optional<EpochManifest> epoch(long number) {
        return stored(number).map(Stored::manifest);
    }

    @Override
    public RestoreStats restore(EpochManifest manifest, int space, PageSink sink) {
        try (EpochReader reader = open(manifest, space)) {
            return reader.fill(space, sink);
        }
    }

    /** Opens an epoch for reading page by page, as long as it takes. */
    public EpochReader open(EpochManifest manifest) {
        return open(manifest, -1);
    }

    private DefaultEpochReader open(EpochManifest manifest, int onlySpace) {
        return new DefaultEpochReader(store, objects, settings, manifest, onlySpace, wallClockMs);
    }

    /** @param crc32c of the manifest as an object, which has so many bytes */
    private record Stored(EpochManifest manifest, int crc32c, long bytes) {}

    private Optional<Stored> stored(long number) {
        Optional<ByteBuffer> content = store.get(keys.epoch(number));
        try {
            return content.map(bytes -> new Stored(parse(number, bytes), Records.crcOf(bytes), bytes.remaining()));
        } catch (DamagedObjectException e) {
            if (store.get(keys.epoch(number)).isEmpty()) {
                return Optional.empty(); // deleted with its checkpoint meanwhile
            }
            throw e;
        }
    }

    /**
     * The newest whole epoch of these.
     *
     * @param visitors makes who sees the segment indexes of an epoch that may turn out not to be whole
     */
    private Optional<Stored> findWhole(
            List<Long> newestFirst, Function<EpochManifest, SegmentIndexes.Visitor> visitors) {
        for (long number : newestFirst) {
            Optional<Stored> stored = readManifest(number);
            if (stored.isEmpty()) {
                continue;
            }
            EpochManifest manifest = stored.get().manifest();
            try {
                new SegmentIndexes(objects, manifest).visitAll(settings, visitors.apply(manifest));
                return stored;
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
        EpochManifest manifest = Records.manifest(key, content, vmKeys, checkpoints);
        if (!manifest.vmId().equals(vmId) || manifest.epoch() != number) {
            throw new DamagedObjectException("damaged object " + key + ": it is the manifest of epoch "
                    + manifest.epoch() + " of VM " + manifest.vmId());
        }
        return manifest;
    }
}
