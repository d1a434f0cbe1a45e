// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.stream.GuestMemory;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Guests that break every rule: the device asks for a reset, works after one, and never hangs or throws. */
class HostileQueueTest {
    private static final int ROUNDS = 3000;
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final long DATA = 0x20_0000;
    private static final int SIZE = 16;
    private static final int O_RDWR = 2;

    private final GuestMemory memory = new GuestMemory(8 << 20);
    private final Interrupts interrupts = new Interrupts();
    private final FakeTap tap = new FakeTap();
    private VirtioMmioTransport transport;
    private TestDriver driver;

    @BeforeEach
    void rng() {
        use(new VirtioRng("rng-hostile", memory));
    }

    private void use(VirtioDevice device) {
        if (transport != null) {
            transport.close();
        }
        transport = new VirtioMmioTransport(device, memory, interrupts);
        driver = new TestDriver(memory, transport);
    }

    @AfterEach
    void close() {
        transport.close();
        tap.close();
        memory.close();
    }

    static Stream<Arguments> attacks() {
        return Stream.of(
                attack("a chain that loops", queue -> {
                    queue.descriptor(0, DATA, 8, 1 | 2, 1);
                    queue.descriptor(1, DATA, 8, 1 | 2, 0);
                    queue.publish(0);
                }),
                attack("a descriptor outside the table", queue -> {
                    queue.descriptor(0, DATA, 8, 1 | 2, SIZE);
                    queue.publish(0);
                }),
                attack("a head outside the table", queue -> queue.publish(SIZE + 3)),
                attack("a buffer outside memory", queue -> {
                    queue.descriptor(0, 1L << 40, 8, 2, 0);
                    queue.publish(0);
                }),
                attack("a buffer that wraps around", queue -> {
                    queue.descriptor(0, -8, 4096, 2, 0);
                    queue.publish(0);
                }),
                attack("a buffer that ends outside memory", queue -> {
                    queue.descriptor(0, (8 << 20) - 8, -1, 2, 0);
                    queue.publish(0);
                }),
                attack("a readable piece after a writable one", queue -> {
                    queue.descriptor(0, DATA, 8, 1 | 2, 1);
                    queue.descriptor(1, DATA, 8, 0, 0);
                    queue.publish(0);
                }),
                attack("an indirect table in an indirect table", queue -> {
                    queue.describe(DATA, DATA + 64, 16, 4, 0);
                    queue.descriptor(0, DATA, 16, 4, 0);
                    queue.publish(0);
                }),
                attack("an indirect table that goes on", queue -> {
                    queue.descriptor(0, DATA, 16, 4 | 1, 1);
                    queue.publish(0);
                }),
                attack("an indirect table of half a descriptor", queue -> {
                    queue.descriptor(0, DATA, 8, 4, 0);
                    queue.publish(0);
                }),
                attack("an indirect table that is longer than its queue", queue -> {
                    queue.descriptor(0, DATA, 16 * (SIZE + 1), 4, 0);
                    queue.publish(0);
                }),
                attack("an indirect chain that loops", queue -> {
                    queue.describe(DATA, DATA + 64, 1, 1 | 2, 0);
                    queue.descriptor(0, DATA, 16 * SIZE, 4, 0);
                    queue.publish(0);
                }),
                attack("an available index that runs ahead", queue -> {
                    queue.availableIndex = 1000;
                    queue.publish(0);
                }));
    }

    private static Arguments attack(String name, Consumer<TestDriver.Queue> attack) {
        return Arguments.of(name, attack);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("attacks")
    void anAttackNeedsAResetAndAfterItTheDeviceWorks(String name, Consumer<TestDriver.Queue> attack) {
        TestDriver.Queue queue = driver.setUp(-1L, SIZE).queues.get(0);
        attack.accept(queue);
        driver.write(0x50, 0); // an index that jumps may pass over the one that the device wants to be told of
        interrupts.awaitUntil(name, () -> (driver.status() & TestDriver.NEEDS_RESET) != 0);
        assertThat(queue.hasUsed()).isFalse();
        transport.pause();
        transport.state();
        transport.resume();
        TestDriver.Queue again = driver.setUp(-1L, SIZE).queues.get(0);
        assertThat(driver.status() & TestDriver.NEEDS_RESET).isZero();
        again.add(new TestDriver.Piece(DATA, 8, true));
        interrupts.awaitUntil("work after the reset", again::hasUsed);
    }

    @Test
    void randomRingsNeverHangOrKillTheRandomNumberDevice() {
        fuzz();
    }

    @Test
    void randomRingsNeverHangOrKillTheDisk() {
        int zero = Libc.check(Libc.open("/dev/zero", O_RDWR, 0), "open", "/dev/zero");
        use(new VirtioBlock(
                "block-hostile",
                memory,
                new DiskImage("/dev/zero", zero, 512L << 20, false, Optional.empty(), -1, 0),
                true,
                "x"));
        fuzz();
    }

    @Test
    void randomRingsNeverHangOrKillTheNetworkCard() {
        use(new VirtioNet("net-hostile", memory, tap.deviceFd(), (a, b, c) -> {}, () -> {}, "52:54:00:00:00:01", 1380));
        fuzz();
    }

    private void fuzz() {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        byte[] frame = new byte[2000];
        int failed = 0;
        for (int round = 0; round < ROUNDS; round++) {
            driver.setUp(random.nextBoolean() ? -1L : 0, SIZE);
            for (TestDriver.Queue queue : driver.queues) {
                for (int i = 0; i < SIZE; i++) {
                    queue.descriptor(i, address(random), length(random), random.nextInt(8), random.nextInt(SIZE + 1));
                    queue.describe(DATA + 16L * i, address(random), length(random), random.nextInt(8), i + 1);
                }
            }
            for (int i = 0; i < 6; i++) {
                TestDriver.Queue queue = driver.queues.get(random.nextInt(driver.queues.size()));
                queue.publish(random.nextInt(SIZE + 1));
                tap.offer(frame);
            }
            if (random.nextInt(8) == 0) {
                transport.pause();
                transport.state();
                transport.resume();
            }
            failed += (driver.status() & TestDriver.NEEDS_RESET) != 0 ? 1 : 0;
            while (tap.receive(0).length > 0) {
                // what the guest sent is of no interest, only that the tap does not fill up
            }
        }
        assertThat(failed).as("some rings were seen to be broken").isPositive();
        Assertions.assertTimeoutPreemptively(LIMIT, transport::pause);
        transport.resume();
        driver.setUp(0, SIZE);
        assertThat(driver.status()).isEqualTo(15);
    }

    private static long address(Random random) {
        switch (random.nextInt(8)) {
            case 0:
                return random.nextLong();
            case 1:
                return (8L << 20) - random.nextInt(64);
            default:
                // behind the rings, so that a device that writes does not rewrite what the seed chose
                return DATA + random.nextInt(0x10000);
        }
    }

    private static int length(Random random) {
        switch (random.nextInt(8)) {
            case 0:
                return random.nextInt();
            case 1:
                return 0;
            case 2:
                return 16 * random.nextInt(SIZE + 2);
            default:
                return random.nextInt(2048);
        }
    }
}
