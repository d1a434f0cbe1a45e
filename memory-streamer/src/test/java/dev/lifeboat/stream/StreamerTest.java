// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.EpochManifest;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class StreamerTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final StreamerConfig FAST = StreamerConfig.defaults().withEpochIntervalMs(20);
    private static final StreamerListener NOBODY = message -> {};

    private final MemoryStore store = new MemoryStore();

    private Streamer streamer(StreamerConfig config, FakeVm vm, StreamerListener listener) {
        return new Streamer(config, vm, store, store.own("a", 1), Baseline.nothing(), "{}", listener);
    }

    private void assertRestoresWhole(EpochManifest manifest) {
        try (GuestMemory memory = store.restored(manifest);
                FakeVm restored = new FakeVm(memory, manifest.state())) {
            assertThat(restored.findDamage()).isEmpty();
        }
    }

    @Test
    void everyEpochRestoresToTheMemoryThatTheGuestHadAtItsCut() {
        try (GuestMemory memory = new GuestMemory(16 << 20);
                FakeVm vm = new FakeVm(memory, 2_000, 1, 0);
                Streamer streamer = streamer(FAST, vm, NOBODY)) {
            vm.resume();
            streamer.start();
            long last = 0;
            for (int i = 0; i < 10 || store.deltaPages() == 0 && i < 500; i++) {
                if (i == 10) {
                    // It has rewritten every page many times in each of these epochs, so that no delta was worth it:
                    // where epochs take long, none ever is at this pace.
                    vm.pauseBetweenWritesNs = 50_000;
                }
                last = streamer.forceEpoch(LIMIT);
            }
            streamer.suspend(LIMIT);
            vm.pause();
            assertThat(vm.findDamage()).isEmpty();
            assertThat(vm.writes()).isGreaterThan(0);
            for (long epoch = 1; epoch <= last; epoch++) {
                assertRestoresWhole(store.epoch(epoch).orElseThrow());
            }
            assertThat(streamer.stats().epochs()).isGreaterThanOrEqualTo(10);
            assertThat(store.deltaPages()).isPositive();
            assertThat(streamer.stats().pauseMsMax()).isPositive();
        }
    }

    @Test
    void theFirstEpochWaitsForAGuestThatBootsUnlessItIsAskedFor() {
        StreamerConfig soon = new StreamerConfig(3_600_000, 1, 1, 512, 1 << 20, 1, 16, 10, 100, 0);
        try (GuestMemory memory = new GuestMemory(1 << 20);
                FakeVm vm = new FakeVm(memory, 100, 1, 0);
                Streamer streamer = streamer(soon, vm, NOBODY)) {
            vm.busy = true;
            vm.resume();
            streamer.start();
            LockSupport.parkNanos(500_000_000);
            assertThat(streamer.stats().epochs()).isZero();
            vm.busy = false;
            awaitEpochs(streamer, 1);
        }
        try (GuestMemory memory = new GuestMemory(1 << 20);
                FakeVm vm = new FakeVm(memory, 100, 1, 0);
                Streamer streamer =
                        new Streamer(soon, vm, store, store.own("b", 2), Baseline.nothing(), "{}", NOBODY)) {
            vm.busy = true;
            vm.resume();
            streamer.start();
            streamer.forceEpoch(LIMIT);
            assertThat(streamer.stats().epochs()).isEqualTo(1);
        }
    }

    @Test
    void aRaisedRateBringsAnEpochAtOnceAndThenMoreThanTheIntervalSays() {
        // At the usual rate the second epoch would come only after the time that is allowed for the third here.
        int intervalMs = 20_000;
        try (GuestMemory memory = new GuestMemory(1 << 20);
                FakeVm vm = new FakeVm(memory, 100, 1, 0);
                Streamer streamer = streamer(StreamerConfig.defaults().withEpochIntervalMs(intervalMs), vm, NOBODY)) {
            vm.resume();
            streamer.start();
            streamer.forceEpoch(LIMIT);
            long startedNs = System.nanoTime();
            streamer.raiseRate(true);
            awaitEpochs(streamer, 3);
            long tookMs = (System.nanoTime() - startedNs) / 1_000_000;
            assertThat(tookMs)
                    .as("one at once, and one after a raised interval")
                    .isLessThan(intervalMs);
            streamer.raiseRate(false);
        }
    }

    private static void awaitEpochs(Streamer streamer, int epochs) {
        long endNs = System.nanoTime() + 60_000_000_000L;
        while (streamer.stats().epochs() < epochs) {
            assertThat(System.nanoTime() - endNs)
                    .as("a minute for " + epochs + " epochs")
                    .isNegative();
            LockSupport.parkNanos(10_000_000);
        }
    }

    @Test
    void aFullArenaIsStreamedWhileTheGuestWaitsAndIsReported() {
        StreamerConfig tiny = new StreamerConfig(20, 1, 0, 0, 16 * 4096, 2, 8, 10, 100, 1 << 20);
        try (GuestMemory memory = new GuestMemory(16 << 20);
                FakeVm vm = new FakeVm(memory, 2_000, 2, 0);
                Streamer streamer = streamer(tiny, vm, NOBODY)) {
            vm.resume();
            awaitWrites(vm, 500);
            streamer.start();
            long epoch = streamer.forceEpoch(LIMIT);
            assertThat(streamer.stats().synchronousPages()).isPositive();
            assertRestoresWhole(store.epoch(epoch).orElseThrow());
        }
    }

    @Test
    void memoryThatWasNeverTouchedIsNeitherSentNorAllocated() {
        try (GuestMemory memory = new GuestMemory(1L << 30);
                FakeVm vm = new FakeVm(memory, 100, 3, 100_000);
                Streamer streamer = streamer(FAST, vm, NOBODY)) {
            vm.resume();
            awaitWrites(vm, 50);
            streamer.start();
            long epoch = streamer.forceEpoch(LIMIT);
            assertThat(store.pagesOf(1)).hasSizeLessThan(200);
            assertThat(DataPages.of(memory).count()).isLessThan(200);
            assertRestoresWhole(store.epoch(epoch).orElseThrow());
        }
    }

    @Test
    void anUnknownBaselineReplacesWhatOldEpochsHoldOfPagesThatAreZeroNow() {
        long oldEpoch;
        try (GuestMemory memory = new GuestMemory(4 << 20);
                FakeVm vm = new FakeVm(memory, 800, 4, 0);
                Streamer streamer = streamer(FAST, vm, NOBODY)) {
            vm.resume();
            awaitWrites(vm, 2_000);
            streamer.start();
            oldEpoch = streamer.forceEpoch(LIMIT);
        }
        try (GuestMemory memory = new GuestMemory(4 << 20);
                FakeVm vm = new FakeVm(memory, 800, 5, 1_000_000);
                Streamer streamer =
                        new Streamer(FAST, vm, store, store.own("b", 2), Baseline.unknown(), "{}", NOBODY)) {
            vm.resume();
            streamer.start();
            long epoch = streamer.forceEpoch(LIMIT);
            assertThat(epoch).isGreaterThan(oldEpoch);
            assertRestoresWhole(store.epoch(epoch).orElseThrow());
            assertThat(DataPages.of(memory).count()).isLessThan(500);
        }
    }

    /** As after a former owner's late write: what the memory was filled from is not what the writer continues. */
    @Test
    void aWriterThatContinuesAnotherEpochThanTheMemoryCameFromIsGivenEverything() {
        long lateEpoch;
        try (GuestMemory memory = new GuestMemory(4 << 20);
                FakeVm vm = new FakeVm(memory, 800, 14, 0);
                Streamer streamer = streamer(FAST, vm, NOBODY)) {
            vm.resume();
            awaitWrites(vm, 2_000);
            streamer.start();
            lateEpoch = streamer.forceEpoch(LIMIT);
        }
        Baseline before = Baseline.exactly(lateEpoch - 1);
        try (GuestMemory memory = new GuestMemory(4 << 20);
                FakeVm vm = new FakeVm(memory, 800, 15, 1_000_000);
                Streamer streamer = new Streamer(FAST, vm, store, store.own("b", 2), before, "{}", NOBODY)) {
            vm.resume();
            streamer.start();
            assertRestoresWhole(store.epoch(streamer.forceEpoch(LIMIT)).orElseThrow());
        }
    }

    @Test
    void anEpochThatHangsThroughAnEvacuationThatFailsKeepsNoPage() throws Exception {
        StreamerConfig config = new StreamerConfig(20, 1, 4, 16, 1 << 20, 1, 8, 5, 20, 1 << 20);
        CountDownLatch hanging = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        try (GuestMemory memory = new GuestMemory(16 << 20);
                FakeVm vm = new FakeVm(memory, 2_000, 16, 0);
                Streamer streamer = streamer(config, vm, NOBODY)) {
            vm.resume();
            awaitWrites(vm, 4_000);
            vm.pause();
            store.beforeAppend = () -> {
                hanging.countDown();
                await(release);
            };
            streamer.start();
            assertThat(hanging.await(10, TimeUnit.SECONDS)).isTrue();
            streamer.suspend(Duration.ofMillis(300));
            streamer.resume(streamer.owner());
            store.failing = true;
            release.countDown();
            awaitFailure(streamer);
            store.failing = false;
            assertRestoresWhole(store.epoch(streamer.forceEpoch(LIMIT)).orElseThrow());
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Of an epoch that began after the evacuation: the one before is over then. */
    private static void awaitFailure(Streamer streamer) throws InterruptedException {
        long endNs = System.nanoTime() + LIMIT.toNanos();
        while (streamer.stats().failures() == 0) {
            assertThat(System.nanoTime()).isLessThan(endNs);
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    @Test
    void aStoreThatFailsNeverStopsTheGuestAndItsPagesAreSentAgain() throws Exception {
        StreamerConfig config = new StreamerConfig(20, 1, 4, 16, 1 << 20, 1, 16, 5, 20, 1 << 20);
        CompletableFuture<RuntimeException> told = new CompletableFuture<>();
        StreamerListener listener = new StreamerListener() {
            @Override
            public void fenced(String message) {}

            @Override
            public void epochFailed(RuntimeException cause) {
                told.complete(cause);
            }
        };
        try (GuestMemory memory = new GuestMemory(16 << 20);
                FakeVm vm = new FakeVm(memory, 2_000, 6, 10_000);
                Streamer streamer = streamer(config, vm, listener)) {
            vm.resume();
            streamer.start();
            streamer.forceEpoch(LIMIT);
            store.failing = true;
            assertThat(told.get(10, TimeUnit.SECONDS)).hasMessageContaining("not reachable");
            long writes = vm.writes();
            awaitWrites(vm, writes + 200);
            assertThat(vm.isRunning()).isTrue();
            assertThatThrownBy(() -> streamer.forceEpoch(LIMIT))
                    .isInstanceOf(StreamException.class)
                    .hasMessageContaining("not reachable");
            store.failing = false;
            long epoch = streamer.forceEpoch(LIMIT);
            assertRestoresWhole(store.epoch(epoch).orElseThrow());
            assertThat(streamer.stats().failures()).isPositive();
            assertThat(streamer.stats().lastError()).isEmpty();
        }
    }

    @Test
    void aFencedStreamerStopsAndTellsSo() throws Exception {
        CompletableFuture<String> fenced = new CompletableFuture<>();
        try (GuestMemory memory = new GuestMemory(4 << 20);
                FakeVm vm = new FakeVm(memory, 100, 7, 100_000);
                Streamer streamer = streamer(FAST, vm, fenced::complete)) {
            vm.resume();
            streamer.start();
            long last = streamer.forceEpoch(LIMIT);
            store.own("b", 2);
            assertThat(fenced.get(10, TimeUnit.SECONDS)).contains("term 2");
            long after = store.newestWhole().orElseThrow().epoch();
            assertThat(after).isGreaterThanOrEqualTo(last);
            assertThatThrownBy(() -> streamer.forceEpoch(Duration.ofMillis(200)))
                    .isInstanceOf(StreamException.class);
            assertThat(store.newestWhole().orElseThrow().epoch()).isEqualTo(after);
        }
    }

    static void awaitWrites(FakeVm vm, long writes) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (vm.writes() < writes) {
            assertThat(System.nanoTime()).as("the guest writes").isLessThan(end);
            Thread.onSpinWait();
        }
    }
}
