// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.FakeDisk;
import dev.lifeboat.stream.FakeVm;
import dev.lifeboat.stream.FrameConsumer;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.MemoryStore;
import dev.lifeboat.stream.evacuation.EvacuationException.VmFate;
import dev.lifeboat.stream.wire.TestFleet;
import dev.lifeboat.stream.wire.WireSecurity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(120)
class EvacuationTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private final MemoryStore store = new MemoryStore();
    private final List<TestHost> hosts = new ArrayList<>();

    private TestHost host(String name, WireSecurity security) {
        TestHost host = new TestHost(name, store, security);
        hosts.add(host);
        return host;
    }

    private TestHost host(String name) {
        return host(name, WireSecurity.insecure());
    }

    private TestHost booted(String name) {
        TestHost host = host(name).boot(7, 20_000);
        host.streamer.forceEpoch(LIMIT);
        return host;
    }

    @AfterEach
    void stopHosts() {
        hosts.forEach(TestHost::close);
    }

    private void assertRunsWell(TestHost host) {
        long writes = host.vm.writes();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (host.vm.writes() < writes + 100) {
            assertThat(System.nanoTime()).as("the guest goes on").isLessThan(end);
            Thread.onSpinWait();
        }
        assertThat(host.findDamage()).isEmpty();
    }

    /** The epochs in the store, too, are right: also the one that follows a move or a failed move. */
    private void assertNextEpochRestores(TestHost host) {
        long epoch = host.streamer.forceEpoch(LIMIT);
        var manifest = store.epoch(epoch).orElseThrow();
        List<FakeDisk> disks = TestHost.freshDisks();
        store.restoreDisks(manifest, disks);
        try (GuestMemory memory = store.restored(manifest);
                FakeVm restored = new FakeVm(memory, disks, manifest.state())) {
            assertThat(restored.findDamage()).isEmpty();
        }
    }

    private TestHost move(TestHost from, TestHost to) throws Exception {
        EvacuationReport report = from.evacuateTo(to);
        to.arrived();
        assertThat(from.runs()).isFalse();
        assertThat(report.memoryHashEqual()).isTrue();
        assertThat(to.target.complete().get(10, TimeUnit.SECONDS)).isTrue();
        assertThat(report.blackoutMs()).isPositive();
        assertThat(report.bytesAfterNotice()).isPositive();
        assertThat(from.source.state()).isEqualTo(SourceState.GONE);
        assertThat(to.target.state()).isEqualTo(TargetState.COMPLETE);
        assertRunsWell(to);
        return to;
    }

    @Test
    void aChainOfMovesUnderAWritingGuestLosesNoPageAndEveryEpochBetweenRestores(@TempDir Path directory)
            throws Exception {
        TestFleet fleet = new TestFleet(directory, "fleet");
        TestHost a = host("a", fleet.host("a")).boot(3, 20_000);
        a.streamer.forceEpoch(LIMIT);
        TestHost b = move(a, host("b", fleet.host("b")));
        assertThat(b.streamer.owner().term()).isEqualTo(2);
        assertNextEpochRestores(b);
        TestHost again = move(b, host("a", fleet.host("a")));
        // No epoch in between: the pages that b got and never streamed must reach c all the same.
        TestHost c = move(again, host("c", fleet.host("c")));
        assertNextEpochRestores(c);
        assertThat(c.streamer.owner().term()).isEqualTo(4);
    }

    @Test
    void onlyPagesThatTheEpochDoesNotHoldAreSentAndTheNextEpochHoldsExactlyThose() throws Exception {
        TestHost a = host("a").boot(5, 2_000_000);
        TestHost b = host("b");
        awaitWrites(a, 200);
        long epoch = a.streamer.forceEpoch(LIMIT);
        EvacuationReport report = a.evacuateTo(b);
        assertThat(report.hydratedFromEpoch()).isGreaterThanOrEqualTo(epoch);
        assertThat(report.pagesAfterNotice()).isLessThan(150);
        Arrival arrival = b.target.arrival().get(10, TimeUnit.SECONDS);
        assertThat(arrival.baseline()).isInstanceOf(Baseline.Epoch.class);
        assertThat(arrival.receivedPages()).isLessThan(150);
        b.arrived();
        assertNextEpochRestores(b);
    }

    private static void awaitWrites(TestHost host, long writes) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (host.vm.writes() < writes) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.onSpinWait();
        }
    }

    @Test
    void aStoreThatIsDownMakesTheSourceSendEverything() throws Exception {
        TestHost a = booted("a");
        store.failing = true;
        TestHost b = host("b");
        EvacuationReport report = a.evacuateTo(b);
        assertThat(report.hydratedFromEpoch()).isZero();
        assertThat(report.memoryHashEqual()).isTrue();
        store.failing = false;
        b.arrived();
        assertRunsWell(b);
        assertNextEpochRestores(b);
    }

    @Test
    void aTargetThatHydratesSlowlyIsNotSentTheSamePagesOverAndOver() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        AtomicBoolean held = new AtomicBoolean();
        store.beforeRestoredRun = () -> {
            if (held.compareAndSet(false, true)) {
                LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(3));
            }
        };
        EvacuationReport report = a.evacuateTo(b);
        assertThat(report.hydrateMs()).isGreaterThan(2_000);
        // One round finds what the store does not have, perhaps two more find twice as much, and a few follow
        // hydration.
        assertThat(report.rounds()).isLessThan(10);
        b.arrived();
        assertRunsWell(b);
    }

    @Test
    void aStoreThatFailsWhileTheTargetHydratesRollsBack() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        store.beforeRestoredRun = () -> store.failing = true;
        assertThatThrownBy(() -> a.evacuateTo(b))
                .isInstanceOf(EvacuationException.class)
                .hasMessageContaining("filling memory from the store failed");
        store.beforeRestoredRun = () -> {};
        store.failing = false;
        assertRunsWell(a);
        move(a, host("c"));
    }

    @Test
    void theWholeMemoryIsComparedBeforeTheSwitchWhenThatIsAskedFor() throws Exception {
        TestHost a = host("a");
        a.config = TestHost.CONFIG.withMemoryCheck(MemoryCheck.BEFORE_SWITCH);
        a.boot(9, 20_000);
        a.streamer.forceEpoch(LIMIT);
        TestHost b = host("b");
        b.config = a.config;
        EvacuationReport report = a.evacuateTo(b);
        b.arrived();
        assertThat(report.memoryHashEqual()).isTrue();
        assertThat(report.hashMs()).isPositive();
        assertRunsWell(b);
    }

    @Test
    void framesThatTheSourceStillHeldReachTheTargetInOrder() throws Exception {
        List<Integer> injected = Collections.synchronizedList(new ArrayList<>());
        TestHost a = host("a");
        int[] next = {0};
        a.heldFrames = Optional.of((FrameConsumer consumer, int timeoutMs) -> {
            if (next[0] == 50) {
                return -1;
            }
            for (int i = 0; i < 10; i++) {
                consumer.accept(ByteBuffer.allocateDirect(74).putInt(0, next[0]++));
            }
            return 10;
        });
        a.boot(1, 20_000);
        a.streamer.forceEpoch(LIMIT);
        TestHost b = host("b");
        boolean[] full = {true};
        b.injector = Optional.of(frame -> {
            full[0] = !full[0];
            if (full[0]) {
                return false;
            }
            return injected.add(frame.getInt(frame.position()));
        });
        EvacuationReport report = a.evacuateTo(b);
        b.target.complete().get(10, TimeUnit.SECONDS);
        assertThat(report.framesForwarded()).isEqualTo(50);
        assertThat(injected).hasSize(50).isSorted();
    }

    /** Every state a target can be in has this test; a new state joins by itself. */
    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"EMPTY", "FAILED", "GRANTED"})
    void aTargetKilledInAnyStateLeavesExactlyOneOwner(TargetState killedIn) throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        b.onTargetState = state -> {
            if (state == killedIn) {
                throw new TestHost.Killed();
            }
        };
        boolean beforeOwnership = killedIn.ordinal() < TargetState.OWNER.ordinal();
        if (beforeOwnership) {
            EvacuationException failed = catchThrowableOfType(EvacuationException.class, () -> a.evacuateTo(b));
            assertThat(failed.fate()).isEqualTo(VmFate.RUNS_HERE);
            assertThat(a.source.state()).isEqualTo(SourceState.RUNNING);
            assertThat(b.runs()).isFalse();
            assertRunsWell(a);
            assertNextEpochRestores(a);
            TestHost c = move(a, host("c"));
            assertNextEpochRestores(c);
        } else {
            EvacuationReport report = a.evacuateTo(b);
            assertThat(report.newTerm()).isEqualTo(2);
            assertThat(a.runs()).isFalse();
            assertThat(store.owners().newest().orElseThrow().host()).isEqualTo("b");
        }
    }

    @Test
    void aTargetThatIsNotThereLeavesTheSourceRunning() throws Exception {
        TestHost a = booted("a");
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        assertThatThrownBy(() -> a.evacuateTo(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), "b"))
                .isInstanceOf(EvacuationException.class)
                .hasMessageContaining("cannot connect");
        assertRunsWell(a);
        move(a, host("c"));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "RUNNING")
    void aSourceKilledInAnyStateLeavesAtMostOneOwner(SourceState killedIn) throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        InetSocketAddress address = b.listen();
        a.onSourceState = state -> {
            if (state == killedIn) {
                throw new TestHost.Killed();
            }
        };
        assertThatThrownBy(() -> a.evacuateTo(address, "b")).isInstanceOf(TestHost.Killed.class);
        boolean switched = killedIn.ordinal() >= SourceState.HANDED_OVER.ordinal();
        if (switched) {
            b.arrived();
            assertRunsWell(b);
            assertNextEpochRestores(b);
            b.target.complete().get(10, TimeUnit.SECONDS);
            assertThat(a.runs()).isFalse();
        } else if (killedIn != SourceState.EVACUATING) {
            // The source dies in EVACUATING before it has connected; there is nothing to notice for the target.
            assertThatThrownBy(() -> b.target.arrival().get(10, TimeUnit.SECONDS))
                    .hasMessageContaining("closed");
            assertThat(b.target.state()).isEqualTo(TargetState.FAILED);
            assertThat(b.discarded).isTrue();
            assertThat(store.owners().newest().orElseThrow().term()).isEqualTo(1);
        } else {
            assertThat(b.target.state()).isEqualTo(TargetState.EMPTY);
        }
    }

    @Test
    void aSwitchWhoseAnswerNeverComesIsDecidedByTheRegistryForTheTarget() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        try (SwallowingProxy proxy = new SwallowingProxy(b.listen())) {
            // The target's COMMITTED is swallowed: it owns the VM, the source does not know.
            b.onTargetState = state -> {
                if (state == TargetState.OWNER) {
                    proxy.swallow();
                }
            };
            EvacuationReport report = a.evacuateTo(proxy.address(), "b");
            b.arrived();
            assertThat(report.blackoutMs()).isEqualTo(-1);
            assertThat(a.runs()).isFalse();
            assertRunsWell(b);
            assertNextEpochRestores(b);
        }
    }

    @Test
    void aSwitchThatNeverReachesTheTargetIsDecidedByTheRegistryForTheSource() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        try (SwallowingProxy proxy = new SwallowingProxy(b.listen())) {
            a.onSourceState = state -> {
                if (state == SourceState.SWITCHING) {
                    proxy.swallow();
                }
            };
            EvacuationException failed =
                    catchThrowableOfType(EvacuationException.class, () -> a.evacuateTo(proxy.address(), "b"));
            assertThat(failed.fate()).isEqualTo(VmFate.RUNS_HERE);
            assertThat(a.streamer.owner().term()).isEqualTo(2);
            assertRunsWell(a);
            assertNextEpochRestores(a);
            assertThatThrownBy(() -> b.target.arrival().get(10, TimeUnit.SECONDS))
                    .isNotNull();
            assertThat(b.runs()).isFalse();
        }
        a.onSourceState = state -> {};
        assertThat(move(a, host("c")).streamer.owner().term()).isEqualTo(3);
    }

    @Test
    void whenBothClaimAtOnceExactlyOneRuns() throws Exception {
        for (int round = 0; round < 4; round++) {
            MemoryStore own = new MemoryStore();
            TestHost a = new TestHost("a", own, WireSecurity.insecure());
            TestHost b = new TestHost("b", own, WireSecurity.insecure());
            hosts.add(a);
            hosts.add(b);
            a.boot(round, 50_000);
            a.streamer.forceEpoch(LIMIT);
            InetSocketAddress address = b.listen();
            try (SwallowingProxy proxy = new SwallowingProxy(address)) {
                // The target has SWITCH; then nothing passes any more, and its claim waits until the source's comes.
                CyclicBarrier both = new CyclicBarrier(2);
                own.beforeClaim = () -> {
                    proxy.swallow();
                    try {
                        both.await(15, TimeUnit.SECONDS);
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                };
                boolean stayed = false;
                try {
                    a.evacuateTo(proxy.address(), "b");
                } catch (EvacuationException e) {
                    stayed = e.fate() == VmFate.RUNS_HERE;
                }
                own.beforeClaim = () -> {};
                boolean moved;
                try {
                    b.target.arrival().get(15, TimeUnit.SECONDS);
                    moved = true;
                } catch (ExecutionException e) {
                    moved = false;
                }
                assertThat(stayed).isNotEqualTo(moved);
                assertThat(a.runs()).isEqualTo(stayed);
                assertThat(b.runs()).isEqualTo(moved);
            }
        }
    }

    @Test
    void aSourceThatCannotFindOutWhoOwnsTheVmStaysStopped() throws Exception {
        TestHost a = host("a");
        a.config = new EvacuationConfig(
                TestHost.CONFIG.wire(),
                5_000,
                2_000,
                5_000,
                5_000,
                5_000,
                1_000,
                500,
                2,
                1,
                3,
                50,
                50,
                500,
                MemoryCheck.OFF);
        a.boot(7, 20_000);
        a.streamer.forceEpoch(LIMIT);
        TestHost b = host("b");
        b.config = a.config;
        a.onSourceState = state -> store.registryFailing = state == SourceState.SWITCHING;
        EvacuationException failed = catchThrowableOfType(EvacuationException.class, () -> a.evacuateTo(b));
        assertThat(failed.fate()).isEqualTo(VmFate.STOPPED_OWNER_UNKNOWN);
        assertThat(a.runs()).isFalse();
        assertThatThrownBy(() -> b.target.arrival().get(10, TimeUnit.SECONDS)).hasMessageContaining("find out");
        assertThat(b.runs()).isFalse();
    }

    @Test
    void aLinkThatGoesSilentDuringTheTransferIsNoticedInBoundedTime() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        store.beforeRestoredRun = () -> LockSupport.parkNanos(20_000_000);
        try (SwallowingProxy proxy = new SwallowingProxy(b.listen())) {
            b.onTargetState = state -> {
                if (state == TargetState.HYDRATING) {
                    proxy.swallow();
                }
            };
            long startedNs = System.nanoTime();
            assertThatThrownBy(() -> a.evacuateTo(proxy.address(), "b"))
                    .isInstanceOf(EvacuationException.class)
                    .hasMessageContaining("nothing heard");
            assertThat(System.nanoTime() - startedNs).isLessThan(TimeUnit.SECONDS.toNanos(8));
            assertRunsWell(a);
        }
        store.beforeRestoredRun = () -> {};
        move(a, host("c"));
    }

    @Test
    void aHandshakeThatTakesLongerThanSilenceMayLastIsNotTakenForSilence(@TempDir Path directory) throws Exception {
        TestFleet fleet = new TestFleet(directory, "fleet");
        TestHost a = host("a", fleet.host("a")).boot(3, 20_000);
        a.streamer.forceEpoch(LIMIT);
        TestHost b = host("b", fleet.host("b"));
        try (SwallowingProxy proxy = new SwallowingProxy(b.listen())) {
            proxy.delayFirstAnswer(3L * TestHost.CONFIG.wire().silenceMs());
            a.evacuateTo(proxy.address(), "b");
            b.arrived();
        }
        assertRunsWell(b);
    }

    @Test
    void aDeadlineThatIsPastIsRefusedAndTheVmKeepsRunning() {
        TestHost a = booted("a");
        assertThatThrownBy(() -> a.source.evacuate(
                        new EvacuationRequest(host("b").listen(), "b", System.currentTimeMillis() - 1)))
                .isInstanceOf(EvacuationException.class)
                .hasMessageContaining("deadline");
        assertRunsWell(a);
    }

    @Test
    void aTargetWhoseProcessorDoesNotFitSaysWhyAndNothingIsSent() throws Exception {
        TestHost a = booted("a");
        EvacuationSource other = new EvacuationSource(
                TestHost.CONFIG, a.security, a.vm, a.streamer, "a", "other", Optional.empty(), state -> {});
        TestHost b = host("b");
        InetSocketAddress address = b.listen();
        assertThatThrownBy(() -> other.evacuate(new EvacuationRequest(address, "b", Long.MAX_VALUE)))
                .hasMessageContaining("avx512f");
        assertRunsWell(a);
    }

    @Test
    void aHostOfAnotherAuthorityAndAHostOfAnotherNameAreRefused(@TempDir Path directory) throws Exception {
        TestFleet fleet = new TestFleet(directory, "fleet");
        TestFleet strangers = new TestFleet(directory, "strangers");
        TestHost a = host("a", fleet.host("a")).boot(3, 20_000);
        a.streamer.forceEpoch(LIMIT);
        TestHost stranger = host("b", strangers.host("b"));
        assertThatThrownBy(() -> a.evacuateTo(stranger)).hasMessageContaining("do not trust each other");
        TestHost misnamed = host("b", fleet.host("x"));
        assertThatThrownBy(() -> a.evacuateTo(misnamed)).hasMessageContaining("do not trust each other");
        assertRunsWell(a);
        TestHost b = host("b", fleet.host("b"));
        EvacuationSource spy = new EvacuationSource(
                TestHost.CONFIG, strangers.host("a"), a.vm, a.streamer, "a", "cpu", Optional.empty(), state -> {});
        InetSocketAddress address = b.listen();
        assertThatThrownBy(() -> spy.evacuate(new EvacuationRequest(address, "b", Long.MAX_VALUE)))
                .hasMessageContaining("do not trust each other");
        assertThat(b.target.state()).isEqualTo(TargetState.EMPTY);
        move(a, host("d", fleet.host("d")));
    }

    @Test
    void garbageFromAStrangerIsTurnedAwayAndTheTargetStillWorks() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        InetSocketAddress address = b.listen();
        SplittableRandom random = new SplittableRandom(17);
        for (int i = 0; i < 30; i++) {
            byte[] garbage = new byte[1 + random.nextInt(4_000)];
            random.nextBytes(garbage);
            if (i % 3 == 0) {
                // A length that asks for two gigabytes.
                garbage = new byte[] {0x7f, -1, -1, -1, (byte) (1 + i % 14), 0, 0, 0, 0, 1, 2, 3};
            }
            try (Socket socket = new Socket(address.getAddress(), address.getPort())) {
                socket.setSoTimeout(5_000);
                socket.getOutputStream().write(garbage);
                socket.shutdownOutput();
                // Closed by the target, perhaps after an ABORT that says why.
                socket.getInputStream().readAllBytes();
            } catch (IOException e) {
                assertThat(e).hasMessageNotContaining("timed out");
            }
        }
        assertThat(b.target.state()).isEqualTo(TargetState.EMPTY);
        a.evacuateTo(address, "b");
        b.arrived();
        assertRunsWell(b);
    }
}
