// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.PageSink;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.DirtyLog;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.PageBitmap;
import dev.lifeboat.stream.Streamer;
import dev.lifeboat.stream.StreamerConfig;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.stream.wire.WireSecurity;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves a tiny VM from this process to this process, over loopback and with this host's own certificate, so that
 * classes are loaded, TLS is set up and the hot methods are compiled before a real blackout needs them (DESIGN 10).
 * Run it once at process start, on a thread of its own; it is bounded and its failure harms nothing.
 */
public final class Warmup {
    private static final Logger LOG = LoggerFactory.getLogger(Warmup.class);
    private static final int PAGES = 512;

    private Warmup() {}

    /**
     * Repeats the whole evacuation until the time is used up, at least once and at most {@code maxRounds} times.
     *
     * @param hostName that this host's certificate carries
     * @return evacuations made
     */
    public static int run(WireSecurity security, String hostName, long budgetMs, int maxRounds) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(budgetMs);
        int rounds = 0;
        try {
            do {
                evacuateOnce(security, hostName);
                rounds++;
            } while (rounds < maxRounds && System.nanoTime() < end);
        } catch (RuntimeException e) {
            LOG.warn("Warming up failed; the first evacuation will be slower: {}", e.getMessage());
        }
        return rounds;
    }

    private static void evacuateOnce(WireSecurity security, String hostName) {
        EvacuationConfig defaults = EvacuationConfig.defaults();
        EvacuationConfig config = new EvacuationConfig(
                defaults.wire(),
                defaults.helloMs(),
                defaults.suspendMs(),
                defaults.roundMs(),
                defaults.hydrateMs(),
                defaults.readyMs(),
                defaults.switchMs(),
                defaults.ownershipMs(),
                defaults.targetBlackoutMs(),
                defaults.switchCostMs(),
                3,
                0,
                0,
                0,
                MemoryCheck.AFTER_SWITCH);
        NoStore store = new NoStore();
        OwnerRecord owner = store.owners().claim(OwnershipRace.record(store.vmId(), 1, hostName));
        try (TinyVm source = new TinyVm();
                TinyVm arriving = new TinyVm();
                Streamer streamer = new Streamer(
                        new StreamerConfig(1_000, 0, 1, 1, 64 << 10, 1, 16, 1_000, 1_000, 0),
                        source,
                        store,
                        owner,
                        Baseline.nothing(),
                        "{}",
                        message -> {});
                EvacuationTarget target = new EvacuationTarget(
                        config,
                        security,
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                        store,
                        new TinyIncoming(arriving),
                        Optional.empty(),
                        hostName,
                        state -> {})) {
            source.fill();
            new EvacuationSource(config, security, source, streamer, hostName, "", Optional.empty(), state -> {})
                    .evacuate(new EvacuationRequest(
                            new InetSocketAddress(InetAddress.getLoopbackAddress(), target.port()),
                            hostName,
                            Long.MAX_VALUE));
        }
    }

    /** 2 MiB of memory and no guest. */
    private static final class TinyVm implements LiveVm, AutoCloseable {
        private final GuestMemory memory = new GuestMemory((long) PAGES * GuestMemory.PAGE_BYTES);

        void fill() {
            long mixed = 1;
            for (long page = 0; page < PAGES; page += 2) {
                for (int offset = 0; offset < GuestMemory.PAGE_BYTES; offset += 8) {
                    mixed = mixed * 0x5851f42d4c957f2dL + 1;
                    NativeMemory.putLong(memory.pageAddress(page) + offset, page % 4 == 0 ? mixed : page);
                }
            }
        }

        @Override
        public GuestMemory memory() {
            return memory;
        }

        @Override
        public DirtyLog dirtyLog() {
            return new DirtyLog() {
                private int harvests;

                @Override
                public void start() {
                    harvests = 0;
                }

                @Override
                public void stop() {
                    harvests = 0;
                }

                @Override
                public long harvest(PageBitmap into) {
                    into.set(harvests++ % PAGES);
                    return 1;
                }
            };
        }

        @Override
        public void pause() {
            // No vCPU.
        }

        @Override
        public void resume() {
            // No vCPU.
        }

        @Override
        public byte[] saveState() {
            return new byte[64 << 10];
        }

        @Override
        public void close() {
            memory.close();
        }
    }

    private record TinyIncoming(TinyVm vm) implements IncomingVm {
        @Override
        public void checkCompatible(HelloInfo hello) {
            // It is this very process.
        }

        @Override
        public GuestMemory memory() {
            return vm.memory();
        }

        @Override
        public LiveVm build(byte[] state) {
            return vm;
        }

        @Override
        public void resume() {
            vm.resume();
        }

        @Override
        public void discard() {
            // Closed by the warm-up.
        }
    }

    /** Knows owners and no epoch; the streamer of a warm-up is never started. */
    private static final class NoStore implements VmStore, OwnerRegistry {
        private final ConcurrentHashMap<Long, OwnerRecord> owners = new ConcurrentHashMap<>();

        @Override
        public String vmId() {
            return "warm-up";
        }

        @Override
        public OwnerRegistry owners() {
            return this;
        }

        @Override
        public Optional<OwnerRecord> newest() {
            return owners.values().stream().max((a, b) -> Long.compare(a.term(), b.term()));
        }

        @Override
        public Optional<OwnerRecord> of(long term) {
            return Optional.ofNullable(owners.get(term));
        }

        @Override
        public String describe() {
            return "a warm-up";
        }

        @Override
        public OwnerRecord claim(OwnerRecord record) {
            OwnerRecord before = owners.putIfAbsent(record.term(), record);
            return before == null ? record : before;
        }

        @Override
        public EpochWriter writer(OwnerRecord owner, VmShape shape) {
            throw new StoreException("a warm-up has no store");
        }

        @Override
        public Optional<EpochManifest> newestWhole() {
            return Optional.empty();
        }

        @Override
        public Optional<EpochManifest> epoch(long number) {
            return Optional.empty();
        }

        @Override
        public RestoreStats restore(EpochManifest manifest, int space, PageSink sink) {
            throw new StoreException("a warm-up has no store");
        }
    }
}
