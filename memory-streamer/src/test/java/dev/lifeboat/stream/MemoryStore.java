// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.FencedException;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.PageSink;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.store.XorDelta;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** A store in this process's memory with faults on demand; keeps every committed epoch. */
public final class MemoryStore implements VmStore {
    private record Run(int space, long firstPage, int count, byte encoding, byte[] payload) {}

    private final TreeMap<Long, EpochManifest> manifests = new TreeMap<>();
    private final Map<Long, List<Run>> runs = new HashMap<>();
    private final TreeMap<Long, OwnerRecord> owners = new TreeMap<>();

    /** The store is not reachable for epochs. */
    public volatile boolean failing;
    /** The registry is not reachable. */
    public volatile boolean registryFailing;
    /** Runs before the next claim, outside of any lock. */
    public volatile Runnable beforeClaim = () -> {};

    public volatile Runnable beforeAppend = () -> {};
    /** Waits of a restore per run. */
    public volatile Runnable beforeRestoredRun = () -> {};

    @Override
    public String vmId() {
        return "vm-1";
    }

    public OwnerRecord own(String host, long term) {
        return owners().claim(new OwnerRecord(1, vmId(), term, host, host + "-nonce-" + term, 0));
    }

    @Override
    public OwnerRegistry owners() {
        return new OwnerRegistry() {
            @Override
            public Optional<OwnerRecord> newest() {
                synchronized (MemoryStore.this) {
                    return owners.isEmpty()
                            ? Optional.empty()
                            : Optional.of(owners.lastEntry().getValue());
                }
            }

            @Override
            public Optional<OwnerRecord> of(long term) {
                if (registryFailing) {
                    throw new StoreException("the registry is not reachable");
                }
                synchronized (MemoryStore.this) {
                    return Optional.ofNullable(owners.get(term));
                }
            }

            @Override
            public String describe() {
                return "a registry in memory";
            }

            @Override
            public OwnerRecord claim(OwnerRecord record) {
                beforeClaim.run();
                if (registryFailing) {
                    throw new StoreException("the registry is not reachable");
                }
                synchronized (MemoryStore.this) {
                    OwnerRecord before = owners.putIfAbsent(record.term(), record);
                    return before == null ? record : before;
                }
            }
        };
    }

    private synchronized long newestTerm() {
        return owners.isEmpty() ? 0 : owners.lastKey();
    }

    @Override
    public EpochWriter writer(OwnerRecord owner, VmShape shape) {
        check();
        return new Writer(owner, shape);
    }

    private void check() {
        if (failing) {
            throw new StoreException("the store is not reachable");
        }
    }

    private final class Writer implements EpochWriter {
        private final OwnerRecord owner;
        private final VmShape shape;
        private final long baseEpoch;
        private List<Run> building = new ArrayList<>();
        private long bytes;

        Writer(OwnerRecord owner, VmShape shape) {
            this.owner = owner;
            this.shape = shape;
            synchronized (MemoryStore.this) {
                baseEpoch = manifests.isEmpty() ? 0 : manifests.lastKey();
            }
        }

        @Override
        public long baseEpoch() {
            return baseEpoch;
        }

        @Override
        public void append(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c) {
            beforeAppend.run();
            check();
            if (RunCodec.crc32c(payload) != crc32c) {
                throw new StoreException("wrong checksum");
            }
            byte[] copy = new byte[payload.remaining()];
            payload.get(copy);
            bytes += copy.length;
            building.add(new Run(space, firstPage, pageCount, encoding, copy));
        }

        @Override
        public long bytesInEpoch() {
            return bytes;
        }

        @Override
        public EpochManifest commit(String vmDescription, byte[] state, long cutAtMillis) {
            check();
            synchronized (MemoryStore.this) {
                if (newestTerm() > owner.term()) {
                    throw new FencedException("term " + newestTerm() + " exists");
                }
                long parent = manifests.isEmpty() ? 0 : manifests.lastKey();
                EpochManifest manifest = new EpochManifest(
                        EpochManifest.VERSION,
                        vmId(),
                        parent + 1,
                        owner.term(),
                        owner.nonce(),
                        parent,
                        0,
                        shape.memoryPages(),
                        shape.disks(),
                        List.of(),
                        Optional.empty(),
                        vmDescription,
                        state,
                        cutAtMillis);
                manifests.put(manifest.epoch(), manifest);
                runs.put(manifest.epoch(), building);
                building = new ArrayList<>();
                bytes = 0;
                return manifest;
            }
        }

        @Override
        public void abandon() {
            building = new ArrayList<>();
            bytes = 0;
        }

        @Override
        public void close() {}
    }

    /** Pages of memory in the runs of one epoch alone. */
    public synchronized Set<Long> pagesOf(long epoch) {
        Set<Long> pages = new HashSet<>();
        for (Run run : runs.get(epoch)) {
            for (int i = 0; run.space == VmShape.MEMORY && i < run.count; i++) {
                pages.add(run.firstPage + i);
            }
        }
        return pages;
    }

    @Override
    public synchronized Optional<EpochManifest> newestWhole() {
        return manifests.isEmpty()
                ? Optional.empty()
                : Optional.of(manifests.lastEntry().getValue());
    }

    @Override
    public synchronized Optional<EpochManifest> epoch(long number) {
        check();
        return Optional.ofNullable(manifests.get(number));
    }

    @Override
    public RestoreStats restore(EpochManifest manifest, int space, PageSink sink) {
        List<Run> all = new ArrayList<>();
        synchronized (this) {
            manifests.headMap(manifest.epoch(), true).keySet().forEach(epoch -> all.addAll(runs.get(epoch)));
        }
        // Newest first; a page is delivered once, when its newest full version is met.
        PageBitmap done = new PageBitmap(manifest.shape().pages(space));
        Map<Long, Run> deltas = new HashMap<>();
        RunCodec codec = new RunCodec();
        ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
        ByteBuffer payload = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
        long delivered = 0;
        boolean zeroesToo = manifest.shape().hasBase(space);
        for (int i = all.size() - 1; i >= 0; i--) {
            beforeRestoredRun.run();
            check();
            Run run = all.get(i);
            if (run.space != space) {
                continue;
            }
            if (run.encoding == RunCodec.DELTA) {
                for (long page = run.firstPage; page < run.firstPage + run.count; page++) {
                    deltas.putIfAbsent(page, run);
                }
                continue;
            }
            payload.clear().put(run.payload).flip();
            codec.decode(run.encoding, payload, run.count, pages.clear());
            for (int n = 0; n < run.count; n++) {
                long page = run.firstPage + n;
                Run delta = deltas.remove(page);
                if (done.testAndSet(page) && (zeroesToo || run.encoding != RunCodec.ZERO || delta != null)) {
                    sink.accept(page, 1, changed(pages.slice(n * 4096, 4096), page, delta));
                    delivered++;
                }
            }
        }
        if (!deltas.isEmpty()) {
            throw new StoreException("deltas of pages " + deltas.keySet() + " are against nothing");
        }
        return new RestoreStats(delivered, 0, 0);
    }

    /** Fills fresh disks from an epoch. */
    public void restoreDisks(EpochManifest manifest, List<FakeDisk> disks) {
        for (int i = 0; i < disks.size(); i++) {
            FakeDisk disk = disks.get(i);
            restore(
                    manifest,
                    i + 1,
                    (first, count, content) -> disk.fill(first, count, NativeMemory.addressOf(content)));
        }
    }

    private static ByteBuffer changed(ByteBuffer page, long number, Run delta) {
        if (delta == null) {
            return page;
        }
        int n = (int) (number - delta.firstPage);
        ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
        pages.put(n * 4096, page, 0, 4096);
        ByteBuffer payload = ByteBuffer.allocateDirect(delta.payload.length);
        XorDelta.apply(payload.put(delta.payload).flip(), delta.count, 1 << n, pages);
        return pages.slice(n * 4096, 4096);
    }

    /** Pages of all epochs that were sent as deltas. */
    public synchronized long deltaPages() {
        return runs.values().stream()
                .flatMap(List::stream)
                .filter(run -> run.encoding == RunCodec.DELTA)
                .mapToLong(Run::count)
                .sum();
    }

    /** Fills fresh memory from an epoch. */
    public GuestMemory restored(EpochManifest manifest) {
        GuestMemory memory = new GuestMemory(manifest.pages() * 4096);
        restore(
                manifest,
                (first, count, content) ->
                        NativeMemory.copy(NativeMemory.addressOf(content), memory.pageAddress(first), count * 4096L));
        return memory;
    }
}
