// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.lifeboat.stream.GuestMemory;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class VirtioNetTest {
    private static final String MAC = "52:54:00:aa:bb:cc";
    private static final int MTU = 1380;
    private static final long ALL = -1L;
    private static final long MRG_RXBUF = 1L << VirtioNet.FEATURE_MRG_RXBUF;
    private static final long TSO = 1L << VirtioNet.FEATURE_GUEST_TSO4 | 1L << VirtioNet.FEATURE_GUEST_TSO6;

    private static final long RECEIVE_BUFFERS = 0x20_0000;
    private static final long TRANSMIT_BUFFERS = 0xb0_0000;
    private static final long CONTROL_BUFFER = 0xd0_0000;

    private final GuestMemory memory = new GuestMemory(16 << 20);
    private final FakeTap tap = new FakeTap();
    private final List<String> offloads = new ArrayList<>();
    private Interrupts interrupts = new Interrupts();
    private VirtioMmioTransport transport = card("net-test");
    private final TestDriver driver = new TestDriver(memory, transport);

    @AfterEach
    void close() {
        transport.close();
        tap.close();
        memory.close();
    }

    private VirtioNet device(String name) {
        TapOffloads remember = (checksum, tso4, tso6) -> offloads.add(checksum + " " + tso4 + " " + tso6);
        return new VirtioNet(name, memory, tap.deviceFd(), remember, () -> {}, MAC, MTU);
    }

    private VirtioMmioTransport card(String name) {
        return new VirtioMmioTransport(device(name), memory, () -> interrupts.raise());
    }

    private VirtioNet net() {
        return (VirtioNet) transport.device();
    }

    private TestDriver.Queue receiveQueue() {
        return driver.queues.get(VirtioNet.RECEIVE);
    }

    private TestDriver.Queue transmitQueue() {
        return driver.queues.get(VirtioNet.TRANSMIT);
    }

    /** A frame of {@code lengthBytes} with a zero virtio header, for the guest, with random content. */
    private static byte[] frame(int lengthBytes, long seed) {
        byte[] frame = new byte[lengthBytes];
        new Random(seed).nextBytes(frame);
        Arrays.fill(frame, 0, 12, (byte) 0);
        byte[] mac = {0x52, 0x54, 0, (byte) 0xaa, (byte) 0xbb, (byte) 0xcc};
        System.arraycopy(mac, 0, frame, 12, 6);
        return frame;
    }

    private static long bufferOf(int head) {
        return RECEIVE_BUFFERS + head * 0x20000L;
    }

    /** Posts {@code count} receive buffers of one piece each; buffer n belongs to descriptor n. */
    private void post(int count, int lengthBytes) {
        for (int i = 0; i < count; i++) {
            TestDriver.Queue queue = receiveQueue();
            int head = queue.nextFree();
            queue.add(new TestDriver.Piece(bufferOf(head), lengthBytes, true));
        }
    }

    /** Takes one frame out of the ring as a driver with mergeable buffers does, without its 12-byte header. */
    private byte[] takeReceived() {
        TestDriver.Queue queue = receiveQueue();
        interrupts.awaitUntil("a frame", queue::hasUsed);
        TestDriver.Used first = queue.take();
        int buffers = memory.getShort(bufferOf(first.head()) + 10) & 0xffff;
        byte[] content = read(first);
        for (int i = 1; i < buffers; i++) {
            assertThat(queue.hasUsed())
                    .as("all buffers of a frame are shown at once")
                    .isTrue();
            byte[] more = read(queue.take());
            int old = content.length;
            content = Arrays.copyOf(content, old + more.length);
            System.arraycopy(more, 0, content, old, more.length);
        }
        return Arrays.copyOfRange(content, 12, content.length);
    }

    private byte[] read(TestDriver.Used used) {
        byte[] content = new byte[used.lengthBytes()];
        memory.read(bufferOf(used.head()), content, 0, content.length);
        return content;
    }

    private static byte[] payload(byte[] frame) {
        return Arrays.copyOfRange(frame, 12, frame.length);
    }

    @Test
    void theConfigurationTellsAddressLinkAndMtu() {
        assertThat(transport.read(0x100, 4)).isEqualTo(0xaa005452L);
        assertThat(transport.read(0x104, 2)).isEqualTo(0xccbb);
        assertThat(transport.read(0x106, 2)).isEqualTo(VirtioNet.STATUS_LINK_UP);
        assertThat(transport.read(0x10a, 2)).isEqualTo(MTU);
    }

    @Test
    void theTapGetsTheOffloadsThatTheGuestAcceptedAndAgainAfterARestore() {
        driver.setUp(ALL & ~(1L << VirtioNet.FEATURE_GUEST_TSO6), 16);
        assertThat(offloads).containsExactly("true true false");
        move();
        assertThat(offloads).containsExactly("true true false", "true true false");
        driver.setUp(0, 16);
        assertThat(offloads).endsWith("false false false");
    }

    @Test
    void sentFramesReachTheTapInOrderAndWhole() {
        driver.setUp(ALL, 64);
        for (int i = 0; i < 1000; i++) {
            byte[] frame = frame(26 + (i * 97) % 3000, i);
            memory.write(TRANSMIT_BUFFERS, frame, 0, frame.length);
            int cut = 12 + i % 10;
            transmitQueue()
                    .add(
                            new TestDriver.Piece(TRANSMIT_BUFFERS, cut, false),
                            new TestDriver.Piece(TRANSMIT_BUFFERS + cut, frame.length - cut, false));
            assertThat(tap.receive(5000)).isEqualTo(frame);
            interrupts.awaitUntil("sent", transmitQueue()::hasUsed);
            transmitQueue().take();
        }
    }

    @Test
    void aFullTapDelaysFramesAndDropsNone() {
        driver.setUp(ALL, 256);
        int sent = 0;
        int received = 0;
        while (sent < 2000) {
            while (sent < 2000 && transmitQueue().freeDescriptors() > 0) {
                long buffer = TRANSMIT_BUFFERS + transmitQueue().nextFree() * 2048L;
                byte[] frame = frame(1500, sent++);
                memory.write(buffer, frame, 0, frame.length);
                transmitQueue().add(new TestDriver.Piece(buffer, frame.length, false));
            }
            for (int i = 0; i < 100 && received < sent; i++) {
                assertThat(tap.receive(5000)).isEqualTo(frame(1500, received++));
            }
            while (transmitQueue().hasUsed()) {
                transmitQueue().take();
            }
        }
        while (received < sent) {
            assertThat(tap.receive(5000)).isEqualTo(frame(1500, received++));
        }
    }

    @Test
    void smallBuffersAreMergedForALargeFrame() {
        driver.setUp(ALL, 64);
        post(60, 1526);
        byte[] large = frame(12 + 14 + 60_000, 1);
        byte[] small = frame(100, 2);
        tap.send(large);
        tap.send(small);
        assertThat(takeReceived()).isEqualTo(payload(large));
        assertThat(takeReceived()).isEqualTo(payload(small));
        assertThat(memory.ownWrites().get(bufferOf(39) >> 12))
                .as("the 40th buffer is marked")
                .isTrue();
    }

    @Test
    void aFrameThatNeedsMoreBuffersThanThereAreWaitsForTheGuest() {
        driver.setUp(ALL, 64);
        post(3, 1526);
        byte[] large = frame(12 + 14 + 20_000, 3);
        tap.send(large);
        tap.send(frame(200, 4));
        post(11, 1526);
        assertThat(takeReceived()).isEqualTo(payload(large));
        post(1, 1526);
        assertThat(takeReceived()).isEqualTo(payload(frame(200, 4)));
    }

    @Test
    void withoutMergingEachFrameHasOneBufferOrIsDropped() {
        driver.setUp(ALL & ~MRG_RXBUF & ~TSO, 16);
        post(4, 2048);
        tap.send(frame(1000, 5));
        tap.send(frame(5000, 6));
        tap.send(frame(2048, 7));
        assertThat(takeReceived()).isEqualTo(payload(frame(1000, 5)));
        assertThat(takeReceived()).isEqualTo(payload(frame(2048, 7)));
    }

    @Test
    void framesWaitInTheTapWhilePausedAndArriveAfterwards() {
        driver.setUp(ALL, 16);
        post(4, 1526);
        transport.pause();
        tap.send(frame(300, 8));
        assertThat(receiveQueue().hasUsed()).isFalse();
        transport.resume();
        assertThat(takeReceived()).isEqualTo(payload(frame(300, 8)));
    }

    @Test
    void heldFramesForTheGuestCrossTheHandOverAndBroadcastsDoNot() {
        driver.setUp(ALL, 16);
        post(8, 1526);
        transport.pause();
        VirtioMmioState state = transport.state();
        byte[] broadcast = frame(64, 9);
        Arrays.fill(broadcast, 12, 18, (byte) 0xff);
        tap.send(frame(300, 10));
        tap.send(broadcast);
        tap.send(frame(301, 11));
        List<byte[]> held = new ArrayList<>();
        int count = net().drain(
                        frame -> {
                            byte[] copy = new byte[frame.remaining()];
                            frame.get(copy);
                            held.add(copy);
                        },
                        1000);
        assertThat(count).isEqualTo(2);
        assertThat(held).containsExactly(frame(300, 10), frame(301, 11));
        assertThat(net().drain(frame -> {}, 0)).isZero();
        VirtioNet source = net();
        transport.close();
        assertThat(source.drain(frame -> {}, 0)).isEqualTo(-1);

        transport = card("net-target");
        transport.restore(state);
        driver.transport = transport;
        tap.send(frame(302, 12));
        for (byte[] frame : held) {
            assertThat(net().inject(ByteBuffer.wrap(frame))).isTrue();
        }
        transport.resume();
        assertThat(takeReceived()).isEqualTo(payload(frame(300, 10)));
        assertThat(takeReceived()).isEqualTo(payload(frame(301, 11)));
        assertThat(takeReceived()).isEqualTo(payload(frame(302, 12)));
    }

    @Test
    void aFrameThatLackedBuffersIsHandedOverToo() {
        driver.setUp(ALL, 64);
        post(1, 1526);
        byte[] large = frame(12 + 14 + 20_000, 13);
        tap.send(large);
        tap.awaitTaken();
        transport.pause();
        List<byte[]> held = new ArrayList<>();
        net().drain(
                        frame -> {
                            byte[] copy = new byte[frame.remaining()];
                            frame.get(copy);
                            held.add(copy);
                        },
                        0);
        assertThat(held).containsExactly(large);
        assertThat(receiveQueue().hasUsed()).isFalse();
    }

    @Test
    void drainingARunningCardIsRefused() {
        driver.setUp(ALL, 16);
        assertThatThrownBy(() -> net().drain(frame -> {}, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void injectedFramesHaveABound() {
        driver.setUp(ALL, 16);
        transport.pause();
        ByteBuffer frame = ByteBuffer.wrap(frame(1500, 14));
        int taken = 0;
        while (taken < 100_000 && net().inject(frame)) {
            taken++;
        }
        assertThat(taken).isBetween(16, 20_000);
        assertThat(frame.remaining()).isEqualTo(1500);
        post(16, 1526);
        transport.resume();
        for (int i = 0; i < taken; i++) {
            assertThat(takeReceived()).isEqualTo(payload(frame(1500, 14)));
            post(1, 1526);
        }
    }

    @Test
    void aRestoredCardAsksForAnAnnouncementUntilTheGuestAcknowledges() {
        driver.setUp(ALL, 16);
        move();
        interrupts.awaitUntil(
                "the request to announce",
                () -> transport.read(0x106, 2) == (VirtioNet.STATUS_LINK_UP | VirtioNet.STATUS_ANNOUNCE));
        interrupts.awaitUntil("its configuration interrupt", () -> (driver.read(0x60) & 2) != 0);
        int generation = driver.read(0xfc);
        interrupts.awaitUntil("the request is repeated", () -> driver.read(0xfc) > generation);
        memory.putShort(CONTROL_BUFFER, (short) VirtioNet.CONTROL_CLASS_ANNOUNCE);
        memory.putByte(CONTROL_BUFFER + 16, (byte) 0x55);
        TestDriver.Queue control = driver.queues.get(VirtioNet.CONTROL);
        control.add(new TestDriver.Piece(CONTROL_BUFFER, 2, false), new TestDriver.Piece(CONTROL_BUFFER + 16, 1, true));
        interrupts.awaitUntil("the acknowledgement is answered", control::hasUsed);
        assertThat(memory.getByte(CONTROL_BUFFER + 16)).isEqualTo((byte) VirtioNet.CONTROL_OK);
        assertThat(transport.read(0x106, 2)).isEqualTo(VirtioNet.STATUS_LINK_UP);
    }

    @Test
    void unknownControlCommandsAreRefused() {
        driver.setUp(ALL, 16);
        memory.putShort(CONTROL_BUFFER, (short) 0x0101);
        TestDriver.Queue control = driver.queues.get(VirtioNet.CONTROL);
        control.add(new TestDriver.Piece(CONTROL_BUFFER, 3, false), new TestDriver.Piece(CONTROL_BUFFER + 16, 1, true));
        interrupts.awaitUntil("the answer", control::hasUsed);
        assertThat(memory.getByte(CONTROL_BUFFER + 16)).isEqualTo((byte) VirtioNet.CONTROL_ERROR);
    }

    @Test
    void aCardWithAnotherAddressDoesNotTakeOver() {
        driver.setUp(ALL, 16);
        transport.pause();
        VirtioMmioState state = transport.state();
        VirtioNet other =
                new VirtioNet("net-other", memory, tap.deviceFd(), (a, b, c) -> {}, () -> {}, "52:54:00:00:00:09", MTU);
        try (VirtioMmioTransport target = new VirtioMmioTransport(other, memory, interrupts)) {
            assertThatThrownBy(() -> target.restore(state))
                    .isInstanceOf(DeviceException.class)
                    .hasMessageContaining("52:54:00:00:00:09");
        }
    }

    @Test
    void movesInTheMiddleOfTrafficLoseAndDoubleNoFrameInEitherDirection() {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        driver.setUp(ALL, 64);
        post(40, 600);
        int sent = 0;
        int arrived = 0;
        int transmitted = 0;
        int seen = 0;
        int moves = 0;
        while (arrived < 6000 || seen < 6000) {
            for (int i = random.nextInt(20); i > 0 && sent < 6000; i--) {
                if (!tap.offer(frame(30 + random(sent, 2500), sent))) {
                    break;
                }
                sent++;
            }
            for (int i = random.nextInt(20); i > 0 && transmitted < 6000; i--) {
                if (transmitQueue().freeDescriptors() == 0) {
                    break;
                }
                long buffer = TRANSMIT_BUFFERS + transmitQueue().nextFree() * 4096L;
                byte[] frame = frame(30 + random(transmitted, 2500), transmitted++);
                memory.write(buffer, frame, 0, frame.length);
                transmitQueue().add(new TestDriver.Piece(buffer, frame.length, false));
            }
            if (random.nextInt(10) == 0) {
                move();
                moves++;
            }
            while (receiveQueue().hasUsed()) {
                assertThat(takeReceived())
                        .as("frame %d", arrived)
                        .isEqualTo(payload(frame(30 + random(arrived, 2500), arrived)));
                arrived++;
                post(receiveQueue().freeDescriptors() - 20, 600);
            }
            while (transmitQueue().hasUsed()) {
                transmitQueue().take();
            }
            byte[] out;
            while ((out = tap.receive(0)).length > 0) {
                assertThat(out).as("sent frame %d", seen).isEqualTo(frame(30 + random(seen, 2500), seen));
                seen++;
            }
        }
        assertThat(moves).isGreaterThan(20);
        assertThat(tap.receive(50)).isEmpty();
        assertThat(receiveQueue().hasUsed()).isFalse();
    }

    @Test
    void nothingIsAllocatedPerFrame() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        driver.setUp(ALL, 64);
        post(40, 1526);
        Thread device = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("net-test"))
                .findFirst()
                .orElseThrow();
        bothWays(2000); // class loading and the first, interpreted, rounds
        long before = threads.getThreadAllocatedBytes(device.getId());
        bothWays(2000);
        long allocated = threads.getThreadAllocatedBytes(device.getId()) - before;
        // The compiler may still replace code on this thread; one object per frame would be 64,000 bytes and more.
        assertThat(allocated).isLessThan(4096);
    }

    private void bothWays(int frames) {
        byte[] frame = frame(1000, 15);
        memory.write(TRANSMIT_BUFFERS, frame, 0, frame.length);
        for (int i = 0; i < frames; i++) {
            tap.send(frame);
            takeReceived();
            post(1, 1526);
            transmitQueue().add(new TestDriver.Piece(TRANSMIT_BUFFERS, frame.length, false));
            assertThat(tap.receive(5000)).hasSize(frame.length);
            interrupts.awaitUntil("sent", transmitQueue()::hasUsed);
            transmitQueue().take();
        }
    }

    @Test
    void closedCardsLeaveNoDescriptorAndNoThreadBehind() throws IOException {
        move();
        long before = descriptors();
        for (int i = 0; i < 50; i++) {
            driver.setUp(ALL, 16);
            post(4, 1526);
            move();
        }
        assertThat(descriptors()).isEqualTo(before);
        transport.close();
        assertThat(Thread.getAllStackTraces().keySet())
                .filteredOn(thread -> thread.getName().equals("net-moved"))
                .hasSizeLessThanOrEqualTo(1); // the last one may be past its last touch and not quite gone
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    private static int random(int of, int bound) {
        return new Random(of).nextInt(bound);
    }

    /** Moves the card to another one on the same memory and tap, held frames included. */
    private void move() {
        transport.pause();
        VirtioMmioState state = transport.state();
        List<ByteBuffer> held = new ArrayList<>();
        net().drain(
                        frame -> {
                            ByteBuffer copy = ByteBuffer.allocate(frame.remaining());
                            held.add(copy.put(frame).flip());
                        },
                        0);
        transport.close();
        transport = card("net-moved");
        transport.restore(state);
        driver.transport = transport;
        held.forEach(frame -> assertThat(net().inject(frame)).isTrue());
        transport.resume();
    }
}
