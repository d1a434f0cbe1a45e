// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Transport, queue and thread, with the simplest device on them. */
class VirtioMmioTransportTest {
    private static final long EVENT_IDX = 1L << 29;
    private static final long INDIRECT = 1L << 28;
    private static final long DATA = 0x20_0000;

    private final GuestMemory memory = new GuestMemory(8 << 20);
    private final Interrupts interrupts = new Interrupts();
    private final VirtioMmioTransport transport =
            new VirtioMmioTransport(new VirtioRng("rng-test", memory), memory, interrupts);
    private final TestDriver driver = new TestDriver(memory, transport);

    @AfterEach
    void close() {
        transport.close();
        memory.close();
    }

    @Test
    void theRegistersNameAVersion2DeviceOfItsType() {
        assertThat(driver.read(0x000)).isEqualTo(0x74726976);
        assertThat(driver.read(0x004)).isEqualTo(2);
        assertThat(driver.read(0x008)).isEqualTo(4);
        assertThat(driver.read(0x034)).isEqualTo(64);
        assertThat(driver.offeredFeatures()).isEqualTo(1L << 32 | EVENT_IDX | INDIRECT);
        driver.write(0x30, 1);
        assertThat(driver.read(0x034)).as("no second queue").isZero();
    }

    @Test
    void statusBitsAreTakenInOrderOnly() {
        driver.write(0x70, 2);
        assertThat(driver.status()).isZero();
        driver.write(0x70, 1);
        driver.write(0x70, 1 | 8);
        assertThat(driver.status()).isOne();
        driver.write(0x70, 1 | 2);
        driver.write(0x70, 1);
        assertThat(driver.status()).isEqualTo(3);
    }

    @Test
    void featuresThatWereNotOfferedAreRefused() {
        driver.write(0x70, 1);
        driver.write(0x70, 3);
        driver.write(0x24, 0);
        driver.write(0x20, 1);
        driver.write(0x24, 1);
        driver.write(0x20, 1);
        driver.write(0x70, 11);
        assertThat(driver.status()).isEqualTo(3);
    }

    @Test
    void aLegacyDriverIsRefused() {
        driver.write(0x70, 1);
        driver.write(0x70, 3);
        driver.write(0x70, 11);
        assertThat(driver.status()).isEqualTo(3);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, EVENT_IDX, INDIRECT, EVENT_IDX | INDIRECT})
    void everyRequestIsAnsweredWithAnInterruptWhateverWasNegotiated(long features) {
        TestDriver.Queue queue = driver.setUp(features, 16).queues.get(0);
        for (int i = 0; i < 70_000; i++) { // past the wrap of the 16-bit indexes
            int head = queue.add(new TestDriver.Piece(DATA, 8, true));
            interrupts.awaitUntil("request " + i, queue::hasUsed);
            assertThat(queue.take()).isEqualTo(new TestDriver.Used(head, 8));
            if (i % 1000 == 0) {
                driver.write(0x64, driver.read(0x60));
            }
        }
        assertThat(memory.getLong(DATA)).isNotZero();
    }

    @Test
    void anIndirectTableIsFollowed() {
        TestDriver.Queue queue = driver.setUp(INDIRECT, 16).queues.get(0);
        queue.describe(DATA, DATA + 0x1000, 16, 1 | 2, 1);
        queue.describe(DATA + 16, DATA + 0x3000, 16, 2, 0);
        queue.descriptor(3, DATA, 32, 4, 0);
        queue.publish(3);
        interrupts.awaitUntil("indirect request", queue::hasUsed);
        assertThat(memory.getInt(queue.used + 8)).isEqualTo(32);
        assertThat(memory.getLong(DATA + 0x3000)).isNotZero();
    }

    @Test
    void payloadAndUsedRingAreMarkedAsOwnWrites() {
        TestDriver.Queue queue = driver.setUp(EVENT_IDX, 16).queues.get(0);
        // the device's first look at the queue writes its wish for notifications; let that be over
        queue.add(new TestDriver.Piece(DATA, 8, true));
        interrupts.awaitUntil("warm-up", queue::hasUsed);
        queue.take();
        transport.pause();
        queue.prepare(new TestDriver.Piece(DATA + 0x0ffc, 8, true));
        queue.publish(1);
        memory.ownWrites().drainTo(new PageBitmap(memory.pages()));
        transport.resume();
        interrupts.awaitUntil("request", queue::hasUsed);
        transport.pause();
        assertThat(memory.ownWrites().get(DATA >> 12)).isTrue();
        assertThat(memory.ownWrites().get((DATA >> 12) + 1)).isTrue();
        assertThat(memory.ownWrites().get(queue.used >> 12)).isTrue();
        assertThat(memory.ownWrites().count()).isEqualTo(3);
    }

    @Test
    void aPausedDeviceTouchesNothingAndGoesOnWithoutANewNotification() {
        TestDriver.Queue queue = driver.setUp(0, 16).queues.get(0);
        transport.pause();
        transport.pause();
        queue.add(new TestDriver.Piece(DATA, 8, true));
        assertThat(transport.notifyFd(0).drain())
                .as("the notification, lost on purpose")
                .isTrue();
        assertThat(queue.hasUsed()).isFalse();
        transport.resume();
        interrupts.awaitUntil("request made while paused", queue::hasUsed);
    }

    @Test
    void aRestoredDeviceServesWhatTheSavedOneHadNotTaken() {
        TestDriver.Queue queue = driver.setUp(EVENT_IDX, 16).queues.get(0);
        queue.add(new TestDriver.Piece(DATA, 8, true));
        interrupts.awaitUntil("first", queue::hasUsed);
        queue.take();
        transport.pause();
        queue.add(new TestDriver.Piece(DATA + 64, 8, true));
        VirtioMmioState state = transport.state();
        Interrupts there = new Interrupts();
        try (VirtioMmioTransport restored =
                new VirtioMmioTransport(new VirtioRng("rng-restored", memory), memory, there)) {
            restored.restore(state);
            assertThat(restored.state()).isEqualTo(state);
            assertThat(queue.hasUsed()).as("still paused").isFalse();
            restored.resume();
            there.awaitUntil("second", queue::hasUsed);
            assertThat(queue.take().lengthBytes()).isEqualTo(8);
            driver.transport = restored;
            queue.add(new TestDriver.Piece(DATA + 128, 8, true));
            there.awaitUntil("third", queue::hasUsed);
            assertThat(restored.read(0x60, 4) & 1).isOne();
        }
    }

    @Test
    void aRestoredDeviceInterruptsOnceEvenWithNothingToDo() {
        driver.setUp(EVENT_IDX, 16);
        transport.pause();
        VirtioMmioState state = transport.state();
        Interrupts there = new Interrupts();
        try (VirtioMmioTransport restored =
                new VirtioMmioTransport(new VirtioRng("rng-restored", memory), memory, there)) {
            restored.restore(state);
            assertThat(there.take()).isZero();
            restored.resume();
            assertThat(there.take()).isOne();
            restored.pause();
            restored.resume();
            assertThat(there.take()).isZero();
        }
    }

    @Test
    void aDeviceOfAnotherTypeDoesNotTakeOver() {
        driver.setUp(0, 16);
        transport.pause();
        VirtioMmioState saved = transport.state();
        VirtioMmioState other =
                new VirtioMmioState(saved.version(), 2, 0, 0, 0, 0, 0, 0, 0, 0, saved.queues(), saved.device());
        assertThatThrownBy(() -> transport.restore(other))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("rng-test");
    }

    @Test
    void resetEndsTheDeviceAndItsDriverCanStartAgain() {
        driver.setUp(0, 16);
        for (int round = 0; round < 20; round++) {
            TestDriver.Queue queue = driver.setUp(0, 8).queues.get(0);
            queue.add(new TestDriver.Piece(DATA, 8, true));
            interrupts.awaitUntil("round " + round, queue::hasUsed);
            driver.write(0x70, 0);
            assertThat(driver.status()).isZero();
            assertThat(Thread.getAllStackTraces().keySet())
                    .filteredOn(thread -> thread.getName().equals("rng-test") && thread.isAlive())
                    .hasSizeLessThanOrEqualTo(1); // one may be past its last touch and not quite gone
        }
    }

    @Test
    void ringsOutsideMemoryNeedAReset() {
        for (int register : List.of(0x84, 0x94, 0xa4)) {
            driver.negotiate(0);
            driver.setUpQueue(0, 16);
            driver.write(register, 0x7fff_ffff);
            driver.write(0x70, 15);
            assertThat(driver.status() & TestDriver.NEEDS_RESET).isNotZero();
            assertThat(interrupts.take()).isPositive();
            assertThat(driver.read(0x60) & 2).as("a configuration interrupt").isEqualTo(2);
        }
    }

    @Test
    void queueSizesThatAreNoPowerOfTwoNeedAReset() {
        for (int size : List.of(0, 3, 65, 128, -1)) {
            driver.negotiate(0);
            driver.setUpQueue(0, 16);
            driver.write(0x38, size);
            driver.write(0x70, 15);
            assertThat(driver.status() & TestDriver.NEEDS_RESET)
                    .as("size " + size)
                    .isNotZero();
        }
    }
}
