// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.store.FencedException;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.FakeDisk;
import dev.lifeboat.stream.FakeVm;
import dev.lifeboat.stream.FrameInjector;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.HeldFrames;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.stream.Streamer;
import dev.lifeboat.stream.StreamerConfig;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.lease.LeaseTerms;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.stream.wire.WireLimits;
import dev.lifeboat.stream.wire.WireSecurity;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** One host with a fake VM on it, or waiting for one: what a vmm process is in the product. */
final class TestHost implements AutoCloseable {
    static final long MEMORY_BYTES = 16 << 20;
    static final int PAGES = 2_000;
    static final int DISK_BLOCKS = 300;
    static final EvacuationConfig CONFIG = new EvacuationConfig(
            new WireLimits(3_000, 6_000, 1_000),
            5_000,
            2_000,
            10_000,
            20_000,
            5_000,
            3_000,
            5_000,
            2,
            1,
            10,
            50,
            50,
            1_000,
            MemoryCheck.AFTER_SWITCH);

    /** Stands for the death of a process: unlike an exception nobody handles it. */
    static final class Killed extends Error {
        private static final long serialVersionUID = 1L;

        Killed() {
            super("killed", null, false, false);
        }
    }

    final String name;
    final VmStore store;
    final WireSecurity security;
    GuestMemory memory;
    List<FakeDisk> disks;
    FakeVm vm;
    Streamer streamer;
    EvacuationTarget target;
    EvacuationConfig config = CONFIG;
    boolean discarded;
    Consumer<SourceState> onSourceState = state -> {};
    Consumer<TargetState> onTargetState = state -> {};
    Optional<HeldFrames> heldFrames = Optional.empty();
    Optional<FrameInjector> injector = Optional.empty();
    EvacuationSource source;
    /** Lease mode. */
    Optional<LeaseTerms> lease = Optional.empty();

    Optional<LeaseKeeper> keeper = Optional.empty();
    /** Who took the VM away from this host, in lease mode. */
    volatile Optional<OwnerRecord> lostTo = Optional.empty();

    TestHost(String name, VmStore store, WireSecurity security) {
        this.name = name;
        this.store = store;
        this.security = security;
    }

    /** Boots a VM here in term 1 and streams it. */
    TestHost boot(long seed, long pauseBetweenWritesNs) {
        memory = new GuestMemory(MEMORY_BYTES);
        disks = freshDisks();
        vm = new FakeVm(memory, disks, PAGES, seed, pauseBetweenWritesNs);
        stream(claim(1), Baseline.nothing());
        live().resume();
        return this;
    }

    /** Wins a term, and in lease mode the lease of {@link #vm} with it. */
    OwnerRecord claim(long term) {
        OwnerRecord record = OwnershipRace.record(store.vmId(), term, name);
        keeper = lease.map(terms -> new LeaseKeeper(terms, store.owners(), store.vmId(), vm, vm::resume, this::lost));
        OwnerRecord mine = keeper.map(k -> k.withLease(record)).orElse(record);
        long startedNs = System.nanoTime();
        OwnerRecord standing = store.owners().claim(mine);
        if (!standing.equals(mine)) {
            throw new FencedException(standing.host() + " was faster");
        }
        keeper.ifPresent(k -> k.take(mine, startedNs));
        return mine;
    }

    private void lost(OwnerRecord follower) {
        lostTo = Optional.of(follower);
    }

    /** What streaming and evacuation see. */
    LiveVm live() {
        return keeper.map(LeaseKeeper::vm).orElse(vm);
    }

    /** As every host makes them before the VM's content is there: a blank disk and one over a base image. */
    static List<FakeDisk> freshDisks() {
        return List.of(new FakeDisk(DISK_BLOCKS, false), new FakeDisk(DISK_BLOCKS, true));
    }

    private void stream(OwnerRecord owner, Baseline baseline) {
        StreamerConfig fast = new StreamerConfig(30, 1, 4, 64, 1 << 20, 1, 16, 10, 50, 1 << 20);
        streamer = new Streamer(fast, live(), store, owner, baseline, "{}", message -> {});
        streamer.start();
        source = new EvacuationSource(
                config, security, live(), streamer, name, "cpu", heldFrames, this::sourceState, keeper);
    }

    private void sourceState(SourceState state) {
        onSourceState.accept(state);
    }

    InetSocketAddress listen() {
        target = new EvacuationTarget(
                config,
                security,
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                store,
                new Incoming(),
                injector,
                name,
                state -> onTargetState.accept(state),
                lease,
                this::lost);
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), target.port());
    }

    EvacuationReport evacuateTo(TestHost other) {
        return evacuateTo(other.listen(), other.name);
    }

    EvacuationReport evacuateTo(InetSocketAddress address, String otherName) {
        return source.evacuate(new EvacuationRequest(address, otherName, Long.MAX_VALUE));
    }

    /** Waits for the VM that is on its way here, and streams it. */
    Arrival arrived() throws Exception {
        Arrival arrival = target.arrival().get(20, TimeUnit.SECONDS);
        keeper = arrival.lease();
        if (keeper.isEmpty()) {
            vm = (FakeVm) arrival.vm();
        }
        stream(arrival.owner(), arrival.baseline());
        return arrival;
    }

    /** Checks all of the guest's memory; the guest stands still meanwhile. Empty when all is well. */
    String findDamage() {
        // A cut of the streamer would resume the guest under the check.
        streamer.suspend(Duration.ofSeconds(20));
        live().pause();
        String damage = vm.findDamage();
        live().resume();
        streamer.resume(streamer.owner());
        return damage;
    }

    /** Whether the guest runs, looked at long enough not to take a cut of the streamer for a stop. */
    boolean runs() {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(300);
        while (vm != null && System.nanoTime() < end) {
            if (vm.isRunning()) {
                return true;
            }
            Thread.onSpinWait();
        }
        return false;
    }

    private final class Incoming implements IncomingVm {
        @Override
        public void checkCompatible(HelloInfo hello) {
            if (!hello.cpuCompatibilityKey().equals("cpu")) {
                throw new IllegalStateException("the processor lacks avx512f");
            }
        }

        @Override
        public GuestMemory memory() {
            if (memory == null) {
                memory = new GuestMemory(MEMORY_BYTES);
            }
            return memory;
        }

        @Override
        public List<StreamedDisk> disks() {
            disks = freshDisks();
            return List.copyOf(disks);
        }

        @Override
        public LiveVm build(byte[] state) {
            vm = new FakeVm(memory, disks, state);
            return vm;
        }

        @Override
        public void resume() {
            vm.resume();
        }

        @Override
        public void discard() {
            discarded = true;
            if (vm != null) {
                vm.close();
                vm = null;
            }
            if (memory != null) {
                memory.close();
                memory = null;
            }
        }
    }

    @Override
    public void close() {
        keeper.ifPresent(LeaseKeeper::close);
        if (streamer != null) {
            streamer.close();
        }
        if (vm != null) {
            vm.close();
        }
        if (target != null) {
            target.close();
        }
        // The memory stays mapped: a killed session's threads may still use it.
    }
}
