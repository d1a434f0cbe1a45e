// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.stream.FakeVm;
import dev.lifeboat.stream.MemoryStore;
import dev.lifeboat.stream.evacuation.EvacuationException.VmFate;
import dev.lifeboat.stream.lease.LeaseState;
import dev.lifeboat.stream.lease.LeaseTerms;
import dev.lifeboat.stream.wire.WireSecurity;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ownership in lease mode (docs/protocol.md): real threads and connections, real time, short leases. */
@Timeout(120)
class LeaseEvacuationTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    /** Short, with a margin that a loaded machine of two processors needs. */
    private static final LeaseTerms TERMS = new LeaseTerms(2_400, LeaseTerms.DRIFT_PPM, 400);

    private final MemoryStore store = new MemoryStore();
    private final List<TestHost> hosts = new ArrayList<>();
    private final AtomicBoolean watching = new AtomicBoolean(true);
    private volatile String seenTogether = "";
    private Thread watcher;

    @BeforeEach
    void watchForTwo() {
        watcher = new Thread(
                () -> {
                    while (watching.get()) {
                        lookForTwo();
                        // Two that run together do so for milliseconds at least.
                        LockSupport.parkNanos(100_000);
                    }
                },
                "watch-for-two");
        watcher.setDaemon(true);
        watcher.start();
    }

    /** Two guests that run at one instant: the first is looked at again after the second was seen. */
    private void lookForTwo() {
        synchronized (hosts) {
            for (TestHost one : hosts) {
                for (TestHost other : hosts) {
                    if (one != other && runsNow(one) && runsNow(other) && runsNow(one)) {
                        seenTogether = one.name + " and " + other.name;
                    }
                }
            }
        }
    }

    private static boolean runsNow(TestHost host) {
        FakeVm vm = host.vm;
        return vm != null && vm.isRunning();
    }

    @AfterEach
    void stopHosts() throws InterruptedException {
        watching.set(false);
        watcher.join();
        hosts.forEach(TestHost::close);
        assertThat(seenTogether).as("guests that ran at the same time").isEmpty();
    }

    private TestHost host(String name) {
        TestHost host = new TestHost(name, new HostStore(store), WireSecurity.insecure());
        host.lease = Optional.of(TERMS);
        synchronized (hosts) {
            hosts.add(host);
        }
        return host;
    }

    private TestHost booted(String name) {
        TestHost host = host(name).boot(7, 20_000);
        host.streamer.forceEpoch(LIMIT);
        return host;
    }

    private static HostStore line(TestHost host) {
        return (HostStore) host.store;
    }

    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            LockSupport.parkNanos(500_000);
        }
    }

    private static void assertRunsWell(TestHost host) {
        long writes = host.vm.writes();
        await("the guest goes on", () -> host.vm.writes() > writes + 100);
        assertThat(host.findDamage()).isEmpty();
    }

    @Test
    void theGuestRunsOnTheTargetBeforeTheRegistryWasAsked() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        line(b).beforeClaim = () -> {
            asked.countDown();
            try {
                assertThat(goOn.await(20, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        Thread evacuation = new Thread(() -> a.evacuateTo(b), "evacuation");
        evacuation.start();
        assertThat(asked.await(20, TimeUnit.SECONDS)).isTrue();
        assertThat(b.target.state()).isEqualTo(TargetState.GRANTED);
        assertThat(runsNow(b)).as("runs while its claim is held up").isTrue();
        assertThat(a.keeper.orElseThrow().state()).isEqualTo(LeaseState.GIVEN);
        assertThat(store.owners().newest().orElseThrow().host()).isEqualTo("a");
        goOn.countDown();
        b.arrived();
        evacuation.join();
        assertRunsWell(b);
        assertThat(b.keeper.orElseThrow().state()).isEqualTo(LeaseState.HELD);
        OwnerRecord owner = store.owners().newest().orElseThrow();
        assertThat(owner.host()).isEqualTo("b");
        assertThat(owner.leaseMillis()).isEqualTo(TERMS.leaseMillis());
    }

    @Test
    void aChainOfMovesLosesNothingAndEachOwnerKeepsItsLease() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        EvacuationReport report = a.evacuateTo(b);
        b.arrived();
        assertThat(report.blackoutMs()).isPositive();
        assertThat(report.memoryHashEqual()).isTrue();
        assertRunsWell(b);
        // Longer than a lease: it was renewed.
        long afterNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(TERMS.leaseMillis() * 3 / 2);
        await("a lease passes", () -> System.nanoTime() > afterNs);
        assertThat(b.runs()).isTrue();
        b.streamer.forceEpoch(LIMIT);
        TestHost c = host("c");
        b.evacuateTo(c);
        c.arrived();
        assertRunsWell(c);
        assertThat(c.streamer.owner().term()).isEqualTo(3);
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"EMPTY", "FAILED"})
    void aTargetKilledInAnyStateLeavesSomebodyWhoCanGoOn(TargetState killedIn) throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        b.onTargetState = state -> {
            if (state == killedIn) {
                // All of the process is gone, its guest too.
                b.keeper.ifPresent(keeper -> keeper.close());
                throw new TestHost.Killed();
            }
        };
        boolean beforeOwnership = killedIn.ordinal() < TargetState.OWNER.ordinal();
        if (beforeOwnership) {
            EvacuationException failed = catchThrowableOfType(EvacuationException.class, () -> a.evacuateTo(b));
            assertThat(failed.fate()).isEqualTo(VmFate.RUNS_HERE);
            assertRunsWell(a);
            assertThat(store.owners().newest().orElseThrow().host()).isEqualTo("a");
            assertThat(a.keeper.orElseThrow().state()).isEqualTo(LeaseState.HELD);
        } else {
            a.evacuateTo(b);
            assertThat(a.runs()).isFalse();
            assertThat(store.owners().newest().orElseThrow().host()).isEqualTo("b");
        }
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"RUNNING", "EVACUATING"})
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
        if (killedIn.ordinal() >= SourceState.HANDED_OVER.ordinal()) {
            b.arrived();
            assertRunsWell(b);
            assertThat(a.runs()).isFalse();
        } else {
            assertThatThrownBy(() -> b.target.arrival().get(10, TimeUnit.SECONDS))
                    .hasMessageContaining("closed");
            assertThat(b.target.state()).isEqualTo(TargetState.FAILED);
            assertThat(store.owners().newest().orElseThrow().term()).isEqualTo(1);
        }
    }

    @Test
    void aSwitchThatNeverArrivesIsWaitedOutAndThenTheSourceGoesOn() throws Exception {
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
        }
    }

    @Test
    void aTargetThatCannotBeHeardKeepsTheVm() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        try (SwallowingProxy proxy = new SwallowingProxy(b.listen())) {
            b.onTargetState = state -> {
                if (state == TargetState.GRANTED) {
                    proxy.swallow();
                }
            };
            EvacuationReport report = a.evacuateTo(proxy.address(), "b");
            assertThat(report.blackoutMs()).isEqualTo(-1);
            b.arrived();
            assertThat(a.runs()).isFalse();
            assertRunsWell(b);
        }
    }

    @Test
    void aTargetCutOffFromSourceAndRegistryStopsBeforeTheSourceGoesOn() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        AtomicBoolean ran = new AtomicBoolean();
        try (SwallowingProxy proxy = new SwallowingProxy(b.listen())) {
            b.onTargetState = state -> {
                if (state == TargetState.GRANTED) {
                    proxy.swallow();
                    line(b).cut = true;
                }
            };
            line(b).beforeClaim = () -> ran.compareAndSet(false, runsNow(b));
            EvacuationException failed =
                    catchThrowableOfType(EvacuationException.class, () -> a.evacuateTo(proxy.address(), "b"));
            assertThat(failed.fate()).isEqualTo(VmFate.RUNS_HERE);
            assertThat(ran).as("the target did run").isTrue();
            assertThat(runsNow(b)).isFalse();
            assertRunsWell(a);
            line(b).cut = false;
            assertThatThrownBy(() -> b.target.arrival().get(20, TimeUnit.SECONDS))
                    .hasMessageContaining("a owns the VM in term 2");
            assertRunsWell(a);
        }
    }

    @Test
    void aGuestStandsStillWhileTheRegistryIsAwayAndGoesOnAfterwards() {
        TestHost a = booted("a");
        line(a).cut = true;
        await("the lease expires", () -> a.keeper.orElseThrow().state() == LeaseState.EXPIRED);
        await("the guest stands still", () -> !runsNow(a));
        assertThat(a.runs()).as("cuts of the streamer do not start it").isFalse();
        line(a).cut = false;
        await("the lease is back", () -> a.keeper.orElseThrow().state() == LeaseState.HELD);
        assertRunsWell(a);
        assertThat(a.lostTo).isEmpty();
    }

    @Test
    void aHostThatIsCutOffStopsBeforeItsVmRunsElsewhere() throws Exception {
        TestHost a = booted("a");
        line(a).cut = true;
        OwnerRecord last = store.owners().newest().orElseThrow();
        TestHost b = host("b");
        // What a restore does: claim, then wait until every earlier right is over.
        b.vm = new FakeVm(
                store.restored(store.newestWhole().orElseThrow()),
                TestHost.freshDisks(),
                store.newestWhole().orElseThrow().state());
        b.claim(last.term() + 1);
        long fromNs = System.nanoTime();
        b.live().pause();
        long waitNs = LeaseTerms.waitAfterNs(last);
        await("every earlier right is over", () -> System.nanoTime() - fromNs > waitNs);
        assertThat(runsNow(a)).as("the former owner has stopped by itself").isFalse();
        b.live().resume();
        await("it runs here", () -> runsNow(b));
        line(a).cut = false;
        await("the former owner learns of it", () -> a.lostTo.isPresent());
        assertThat(a.lostTo.orElseThrow().host()).isEqualTo("b");
        assertThat(a.keeper.orElseThrow().state()).isEqualTo(LeaseState.LOST);
        assertThat(a.runs()).isFalse();
    }

    @Test
    void aVmWhoseLeaseIsStaleIsNotHandedOver() {
        TestHost a = booted("a");
        TestHost b = host("b");
        b.onTargetState = state -> {
            if (state == TargetState.READY) {
                // As when the registry has been silent for most of a lease.
                line(a).cut = true;
                await("the lease runs out", () -> a.keeper.orElseThrow().state() == LeaseState.EXPIRED);
            }
        };
        EvacuationException failed = catchThrowableOfType(EvacuationException.class, () -> a.evacuateTo(b));
        assertThat(failed).hasMessageContaining("lease");
        assertThat(failed.fate()).isEqualTo(VmFate.RUNS_HERE);
        line(a).cut = false;
        assertRunsWell(a);
    }

    @Test
    void aTargetInStrictModeAsksTheRegistryFirst() throws Exception {
        TestHost a = booted("a");
        TestHost b = host("b");
        b.lease = Optional.empty();
        List<TargetState> states = new ArrayList<>();
        b.onTargetState = states::add;
        a.evacuateTo(b);
        b.arrived();
        assertThat(states).doesNotContain(TargetState.GRANTED);
        assertRunsWell(b);
        assertThat(store.owners().newest().orElseThrow().leaseMillis()).isZero();
    }
}
