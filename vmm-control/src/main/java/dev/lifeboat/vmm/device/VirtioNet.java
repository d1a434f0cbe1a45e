// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.linux.net.Tap;
import dev.lifeboat.stream.FrameConsumer;
import dev.lifeboat.stream.FrameInjector;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.HeldFrames;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A network card on a tap (virtio 1.2, 5.1). Its thread moves frames between the tap and guest memory by readv and
 * writev, so payloads are touched by the kernel only; nothing is allocated per packet. Checksums and segmentation are
 * left to whoever is cheaper: the tap gets the offloads that the guest accepted.
 *
 * <p>While paused it takes nothing from the tap: frames wait there and are not refused (invariant I5). After a move the
 * source hands them over ({@link #drain}) and the target gives them to the guest before its own ({@link #inject}). A
 * restored card asks its guest to announce itself.
 */
public final class VirtioNet extends QueueDevice implements HeldFrames, FrameInjector {
    static final int TYPE = 1;
    static final int FEATURE_CSUM = 0;
    static final int FEATURE_GUEST_CSUM = 1;
    static final int FEATURE_MTU = 3;
    static final int FEATURE_MAC = 5;
    static final int FEATURE_GUEST_TSO4 = 7;
    static final int FEATURE_GUEST_TSO6 = 8;
    static final int FEATURE_HOST_TSO4 = 11;
    static final int FEATURE_HOST_TSO6 = 12;
    static final int FEATURE_MRG_RXBUF = 15;
    static final int FEATURE_STATUS = 16;
    static final int FEATURE_CTRL_VQ = 17;
    static final int FEATURE_GUEST_ANNOUNCE = 21;

    static final int STATUS_LINK_UP = 1;
    static final int STATUS_ANNOUNCE = 2;
    static final int CONTROL_ANNOUNCE = 3;
    static final int CONTROL_OK = 0;
    static final int CONTROL_ERROR = 1;

    private static final int RECEIVE = 0;
    private static final int TRANSMIT = 1;
    private static final int CONTROL = 2;
    private static final int QUEUES = 3;
    private static final int QUEUE_SIZE = 256;
    private static final int BATCH = 64;
    private static final int CONFIG_BYTES = 12;
    private static final int MAC_BYTES = 6;
    private static final int ETHERNET_HEADER_BYTES = 14;
    private static final int VLAN_TAG_BYTES = 4;
    /** A segment of 64 KiB with its Ethernet header, as TSO lets the tap hand over. */
    private static final int LARGEST_FRAME_BYTES = (1 << 16) + ETHERNET_HEADER_BYTES;
    /** virtio_net_hdr_v1.num_buffers, 5.1.6. */
    private static final int NUM_BUFFERS_OFFSET = 10;
    /** UIO_MAXIOV: what one readv takes at most. */
    private static final int MAX_IOVECS = 1024;

    private static final int MAX_INJECTED = 4096;

    private static final Logger LOG = LoggerFactory.getLogger(VirtioNet.class);

    /** Where the offloads that the guest accepted are told. */
    @FunctionalInterface
    interface Offloads {
        void set(boolean checksum, boolean tso4, boolean tso6);
    }

    private final String mac;
    private final byte[] macBytes;
    private final int mtu;
    private final int fd;
    private final Offloads offloads;
    private final AutoCloseable owner;
    private final byte[] config = new byte[CONFIG_BYTES];
    private volatile int status = STATUS_LINK_UP;
    private final ArrayBlockingQueue<byte[]> injected = new ArrayBlockingQueue<>(MAX_INJECTED);

    /** Room for one frame of our own: a control command, an injected or a held frame. */
    private final long scratch = NativeMemory.allocate(Tap.VNET_HEADER_BYTES + LARGEST_FRAME_BYTES);

    // The device thread's. Receive buffers stand ready in `receive`, one entry of the arrays per chain.
    private final IoVectors receive;
    private final int[] readyHead = new int[MAX_IOVECS];
    private final int[] readyVectors = new int[MAX_IOVECS];
    private final long[] readyBytes = new long[MAX_IOVECS];
    private int ready;
    private long readyTotalBytes;
    private final IoVectors vectors;
    private final DescriptorChain chain = new DescriptorChain();
    private Activation activation;
    private int tapPoll;
    private boolean announceDue;
    private boolean mergeable;
    private long neededBytes;
    private long dropped;

    /** A readable frame waits and buffers are lacking: only the guest can help. */
    private boolean starved;

    private volatile boolean closing;

    /**
     * Opens a tap that exists.
     *
     * @param mac {@code 52:54:00:...}
     * @throws DeviceException when the tap cannot be used
     */
    public static VirtioNet open(String name, GuestMemory memory, String tapName, String mac, int mtu) {
        Tap tap;
        try {
            tap = new Tap(tapName);
        } catch (LinuxException e) {
            throw new DeviceException(
                    name + ": cannot use the tap " + tapName + ": " + e.getMessage()
                            + ": make it first (the agent does), and run as root or with CAP_NET_ADMIN",
                    e);
        }
        try {
            return new VirtioNet(name, memory, tap.fd(), tap::setOffloads, tap, mac, mtu);
        } catch (RuntimeException e) {
            tap.close();
            throw e;
        }
    }

    /** @param owner of {@code fd}, closed with the device */
    VirtioNet(String name, GuestMemory memory, int fd, Offloads offloads, AutoCloseable owner, String mac, int mtu) {
        super(name);
        this.mac = mac;
        this.mtu = mtu;
        this.fd = fd;
        this.offloads = offloads;
        this.owner = owner;
        macBytes = parse(mac);
        System.arraycopy(macBytes, 0, config, 0, MAC_BYTES);
        config[8] = 1; // one pair of queues
        config[10] = (byte) mtu;
        config[11] = (byte) (mtu >>> 8);
        receive = new IoVectors(memory, MAX_IOVECS + QUEUE_SIZE);
        vectors = new IoVectors(memory, QUEUE_SIZE);
    }

    private static byte[] parse(String mac) {
        String[] parts = mac.split(":");
        if (parts.length != MAC_BYTES) {
            throw new DeviceException("'" + mac + "' is no MAC address: write it as 52:54:00:12:34:56");
        }
        byte[] bytes = new byte[MAC_BYTES];
        for (int i = 0; i < MAC_BYTES; i++) {
            try {
                bytes[i] = (byte) Integer.parseInt(parts[i], 16);
            } catch (NumberFormatException e) {
                throw new DeviceException("'" + mac + "' is no MAC address: write it as 52:54:00:12:34:56", e);
            }
        }
        return bytes;
    }

    @Override
    public int type() {
        return TYPE;
    }

    @Override
    public long features() {
        return 1L << FEATURE_CSUM
                | 1L << FEATURE_GUEST_CSUM
                | 1L << FEATURE_MTU
                | 1L << FEATURE_MAC
                | 1L << FEATURE_GUEST_TSO4
                | 1L << FEATURE_GUEST_TSO6
                | 1L << FEATURE_HOST_TSO4
                | 1L << FEATURE_HOST_TSO6
                | 1L << FEATURE_MRG_RXBUF
                | 1L << FEATURE_STATUS
                | 1L << FEATURE_CTRL_VQ
                | 1L << FEATURE_GUEST_ANNOUNCE
                | 1L << VirtioMmioTransport.FEATURE_INDIRECT_DESC
                | 1L << VirtioMmioTransport.FEATURE_EVENT_IDX;
    }

    @Override
    public int queueCount() {
        return QUEUES;
    }

    @Override
    public int queueMaxSize() {
        return QUEUE_SIZE;
    }

    @Override
    public int readConfig(int offset) {
        if (offset == MAC_BYTES) {
            return status;
        }
        return offset < CONFIG_BYTES ? config[offset] & 0xff : 0;
    }

    @Override
    void start(Activation newActivation) {
        activation = newActivation;
        mergeable = newActivation.accepted(FEATURE_MRG_RXBUF);
        boolean tso4 = newActivation.accepted(FEATURE_GUEST_TSO4);
        boolean tso6 = newActivation.accepted(FEATURE_GUEST_TSO6);
        offloads.set(newActivation.accepted(FEATURE_GUEST_CSUM), tso4, tso6);
        neededBytes = Tap.VNET_HEADER_BYTES
                + (tso4 || tso6 ? LARGEST_FRAME_BYTES : mtu + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES);
        forgetReady();
    }

    private void forgetReady() {
        receive.clear();
        ready = 0;
        readyTotalBytes = 0;
    }

    private VirtQueue queue(int index) {
        return activation.queues().get(index);
    }

    @Override
    boolean doWork() {
        if (announceDue) {
            announceDue = false;
            if (activation.accepted(FEATURE_GUEST_ANNOUNCE)) {
                status = STATUS_LINK_UP | STATUS_ANNOUNCE;
                activation.signals().configChanged();
            }
        }
        boolean more = receiveBatch();
        more |= transmitBatch();
        return more | control();
    }

    private boolean receiveBatch() {
        VirtQueue queue = queue(RECEIVE);
        int done = 0;
        boolean empty = false;
        while (done < BATCH && !empty) {
            if (!makeReady(queue)) {
                break;
            }
            long got = takeInjected();
            if (got == 0) {
                got = Libc.readv(fd, receive.address(0), Math.min(receive.count(), MAX_IOVECS));
            }
            if (got > 0) {
                deliver(queue, got);
                done++;
            } else if (got == 0) {
                break;
            } else {
                empty = !retryable(Libc.errno());
            }
        }
        if (done > 0 && queue.publish()) {
            activation.signals().usedBuffers();
        }
        return done == BATCH;
    }

    /** Whether to try again at once; an empty tap is the ordinary end of a batch. */
    private boolean retryable(int errno) {
        if (errno == Errno.EINTR) {
            return true;
        }
        if (errno != Errno.EAGAIN) {
            note("a frame could not be read: " + Errno.describe(errno));
        }
        return false;
    }

    /** Puts enough receive buffers in place for any frame that may come; false when the guest has not given enough. */
    private boolean makeReady(VirtQueue queue) {
        int wantedChains = mergeable ? MAX_IOVECS : 1;
        while (readyTotalBytes < neededBytes && ready < wantedChains && receive.count() <= MAX_IOVECS) {
            if (!queue.pop(receive, chain)) {
                break;
            }
            if (chain.readableCount > 0 || chain.writableBytes < Tap.VNET_HEADER_BYTES) {
                throw new HostileQueueException("a receive buffer of " + chain.writableBytes + " writable and "
                        + chain.readableBytes + " readable bytes");
            }
            readyHead[ready] = chain.head;
            readyVectors[ready] = chain.writableCount;
            readyBytes[ready] = chain.writableBytes;
            ready++;
            readyTotalBytes += chain.writableBytes;
        }
        starved = mergeable ? readyTotalBytes < neededBytes : ready == 0;
        return !starved;
    }

    /** Copies an injected frame into the buffers that stand ready; returns its length, 0 when there is none. */
    private long takeInjected() {
        byte[] frame = injected.poll();
        if (frame == null) {
            return 0;
        }
        int length = (int) Math.min(frame.length, readyTotalBytes);
        NativeMemory.copy(frame, 0, scratch, length);
        receive.write(0, scratch, length);
        return length;
    }

    /** The first {@code lengthBytes} of the ready buffers hold a frame: gives them to the guest, keeps the rest. */
    private void deliver(VirtQueue queue, long lengthBytes) {
        receive.markWritten(0, lengthBytes);
        int chains = 0;
        int usedVectors = 0;
        long left = Math.min(lengthBytes, readyTotalBytes);
        while (left > 0) {
            long piece = Math.min(left, readyBytes[chains]);
            queue.addUsed(readyHead[chains], piece);
            readyTotalBytes -= readyBytes[chains];
            usedVectors += readyVectors[chains];
            left -= piece;
            chains++;
        }
        long header = receive.hostAddress(0);
        if (receive.lengthBytes(0) < Tap.VNET_HEADER_BYTES) {
            throw new HostileQueueException(
                    "a receive buffer whose first piece has " + receive.lengthBytes(0) + " bytes, less than a header");
        }
        // 5.1.6.3.2: with and without merging, the count of buffers is what the driver reads here.
        NativeMemory.putShort(header + NUM_BUFFERS_OFFSET, (short) chains);
        receive.compact(usedVectors);
        ready -= chains;
        System.arraycopy(readyHead, chains, readyHead, 0, ready);
        System.arraycopy(readyVectors, chains, readyVectors, 0, ready);
        System.arraycopy(readyBytes, chains, readyBytes, 0, ready);
    }

    private boolean transmitBatch() {
        VirtQueue queue = queue(TRANSMIT);
        int done = 0;
        while (done < BATCH) {
            vectors.clear();
            if (!queue.pop(vectors, chain)) {
                break;
            }
            send();
            queue.addUsed(chain.head, 0);
            done++;
        }
        if (done > 0 && queue.publish()) {
            activation.signals().usedBuffers();
        }
        return done == BATCH;
    }

    /** A frame that the tap does not take is lost, as on any wire; the guest's protocols send it again. */
    private void send() {
        if (chain.writableCount > 0 || chain.readableBytes < Tap.VNET_HEADER_BYTES + ETHERNET_HEADER_BYTES) {
            note("the guest sent a frame of " + chain.readableBytes + " bytes");
            return;
        }
        while (Libc.writev(fd, vectors.address(chain.first), chain.readableCount) < 0) {
            int errno = Libc.errno();
            if (errno != Errno.EINTR) {
                note("a frame could not be sent: " + Errno.describe(errno));
                return;
            }
        }
    }

    /** Logs the first drop and then each time their number has doubled. */
    private void note(String why) {
        dropped++;
        if (Long.bitCount(dropped) == 1) {
            LOG.warn("{}: {} (dropped so far: {})", name(), why, dropped);
        }
    }

    private boolean control() {
        VirtQueue queue = queue(CONTROL);
        vectors.clear();
        if (!queue.pop(vectors, chain)) {
            return false;
        }
        if (chain.readableBytes < 2 || chain.writableBytes < 1) {
            throw new HostileQueueException("a control command of " + chain.readableBytes + " readable and "
                    + chain.writableBytes + " writable bytes");
        }
        vectors.read(chain.first, scratch, 2);
        boolean known = NativeMemory.getByte(scratch) == CONTROL_ANNOUNCE && NativeMemory.getByte(scratch + 1) == 0;
        if (known) {
            status = STATUS_LINK_UP;
        }
        NativeMemory.putByte(scratch, (byte) (known ? CONTROL_OK : CONTROL_ERROR));
        vectors.write(chain.firstWritable(), scratch, 1);
        queue.addUsed(chain.head, 1);
        if (queue.publish()) {
            activation.signals().usedBuffers();
        }
        return true;
    }

    @Override
    void addDescriptors(PollSet polls) {
        tapPoll = polls.add(fd, PollSet.READABLE);
    }

    @Override
    int prepareToWait(PollSet polls) {
        // Without buffers a readable tap would only spin; the receive queue's notification brings us back.
        polls.setFd(tapPoll, starved ? -1 : fd);
        boolean arrived = queue(TRANSMIT).enableNotifications();
        arrived |= queue(CONTROL).enableNotifications();
        if (starved) {
            arrived |= queue(RECEIVE).enableNotifications();
        }
        return arrived || !injected.isEmpty() && !starved ? 0 : -1;
    }

    @Override
    void afterWait(PollSet polls) {
        for (VirtQueue queue : activation.queues()) {
            queue.disableNotifications();
        }
    }

    /** Gives the receive buffers back: a saved queue has taken only what it has used. */
    @Override
    void settle() {
        queue(RECEIVE).unpop(ready);
        forgetReady();
    }

    @Override
    void stop() {
        activation = null;
    }

    @Override
    public int drain(FrameConsumer consumer, int timeoutMs) {
        if (closing) {
            return -1;
        }
        int drained = 0;
        byte[] waiting;
        while ((waiting = injected.poll()) != null) {
            consumer.accept(ByteBuffer.wrap(waiting));
            drained++;
        }
        try (PollSet polls = new PollSet(1)) {
            polls.add(fd, PollSet.READABLE);
            polls.await(drained > 0 ? 0 : timeoutMs);
            if (!polls.ready(0)) {
                return drained;
            }
        }
        ByteBuffer frame = ByteBuffer.allocateDirect(Tap.VNET_HEADER_BYTES + LARGEST_FRAME_BYTES);
        long address = NativeMemory.addressOf(frame);
        for (int i = 0; i < BATCH && !closing; i++) {
            long got = Libc.read(fd, address, frame.capacity());
            if (got < Tap.VNET_HEADER_BYTES + MAC_BYTES) {
                break;
            }
            frame.clear().limit((int) got);
            if (isForGuest(frame)) {
                consumer.accept(frame);
                drained++;
            }
        }
        return drained;
    }

    private boolean isForGuest(ByteBuffer frame) {
        for (int i = 0; i < MAC_BYTES; i++) {
            if (frame.get(Tap.VNET_HEADER_BYTES + i) != macBytes[i]) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean inject(ByteBuffer frameWithVnetHeader) {
        byte[] copy = new byte[frameWithVnetHeader.remaining()];
        frameWithVnetHeader.duplicate().get(copy);
        if (!injected.offer(copy)) {
            return false;
        }
        wake();
        return true;
    }

    @Override
    void closeDescriptors() {
        closing = true;
        receive.close();
        vectors.close();
        NativeMemory.free(scratch);
        try {
            owner.close();
        } catch (Exception e) {
            throw new DeviceException(name() + ": cannot close the tap: " + e.getMessage(), e);
        }
    }

    @Override
    public VirtioNetState state() {
        return new VirtioNetState(VirtioNetState.VERSION, mac, mtu);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof VirtioNetState saved)) {
            throw new DeviceException(name() + ": the saved device is no network card: " + state);
        }
        if (!saved.mac().equals(mac) || saved.mtu() != mtu) {
            throw new DeviceException("%s has MAC %s and MTU %d, the saved card %s and %d: give it the same"
                    .formatted(name(), mac, mtu, saved.mac(), saved.mtu()));
        }
        announceDue = true;
    }
}
