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
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A network card on a tap (virtio 1.2, 5.1). Its thread moves frames between the tap and guest memory by readv and
 * writev: the kernel touches the payload, nothing is allocated or locked per packet. Checksums and segmentation are left
 * to the other side of the tap as far as the guest accepted it.
 *
 * <p>While paused it reads nothing: frames wait in the tap and are not refused (invariant I5). After a hand-over the
 * source gives them away by {@link #drain}, and the target puts them in front of its own by {@link #inject}. A card that
 * was restored asks its guest to announce itself (GUEST_ANNOUNCE), until it does.
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

    static final int RECEIVE = 0;
    static final int TRANSMIT = 1;
    static final int CONTROL = 2;
    static final int STATUS_LINK_UP = 1;
    static final int STATUS_ANNOUNCE = 2;
    static final int CONTROL_CLASS_ANNOUNCE = 3;
    static final int CONTROL_OK = 0;
    static final int CONTROL_ERROR = 1;

    private static final int QUEUE_SIZE = 256;
    private static final int BATCH = 64;
    private static final int MAC_BYTES = 6;
    private static final int CONFIG_BYTES = 12;
    private static final int CONFIG_STATUS = 6;
    private static final int CONFIG_MTU = 10;
    private static final int ETHERNET_BYTES = 14;
    private static final int SMALLEST_BYTES = Tap.VNET_HEADER_BYTES + ETHERNET_BYTES;
    /** A TSO segment (64 KiB with its IP header) with its Ethernet header, a VLAN tag and the virtio header. */
    static final int LARGEST_BYTES = SMALLEST_BYTES + 4 + 65536;

    /** A guest that has not posted enough buffers for a frame by then does not get it. */
    private static final long HELD_LIMIT_NS = TimeUnit.SECONDS.toNanos(2);

    private static final long ANNOUNCE_AGAIN_NS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final int ANNOUNCE_TIMES = 5;
    /** One drain gives up its thread at the latest after so many frames, twice what a tap holds. */
    private static final int DRAIN_FRAMES = 2048;

    private static final Logger LOG = LoggerFactory.getLogger(VirtioNet.class);

    private final int fd;
    private final TapOffloads offloads;
    private final AutoCloseable owner;
    private final String mac;
    private final int mtu;
    private final byte[] config = new byte[CONFIG_BYTES];
    private final InjectedFrames injected = new InjectedFrames(LARGEST_BYTES);
    private final ReceiveWindow window;
    private final IoVectors transmit;
    private final DescriptorChain chain = new DescriptorChain();
    /** A frame that is longer than the buffers that stood ready: kept whole until the guest posts more. */
    private final long held = NativeMemory.allocate(LARGEST_BYTES);

    private final long scratch = NativeMemory.allocate(8);
    private final ByteBuffer drained = ByteBuffer.allocateDirect(LARGEST_BYTES);

    /** Written by the device thread, read by vCPUs. */
    private volatile int status = STATUS_LINK_UP;

    // The device thread's, or the pausing thread's while that one is parked.
    private Activation activation;
    private VirtQueue receiveQueue;
    private VirtQueue transmitQueue;
    private VirtQueue controlQueue;
    private long windowBytes;
    private int windowChains;
    private boolean mergeable;
    private int heldBytes;
    private long heldSinceNs;
    private boolean starved;
    private boolean transmitBlocked;
    private int announcesLeft;
    private long announceAtNs;
    private long dropped;
    private int injectedPoll;
    private int tapPoll;

    private final Object drainLock = new Object();
    private boolean drainClosed;

    /**
     * Opens a tap that exists; closing the device closes it. From then on the tap queues frames for the guest, so the
     * target of a move opens it before the fabric points at it.
     *
     * @param mac the guest's address, {@code 52:54:00:12:34:56}
     * @param mtu told to the guest, 68 to 65535
     * @throws DeviceException when the tap cannot be used
     */
    public static VirtioNet open(String name, GuestMemory memory, String tapName, String mac, int mtu) {
        Tap tap;
        try {
            tap = new Tap(tapName);
        } catch (LinuxException e) {
            throw new DeviceException(
                    name + ": cannot use the tap " + tapName + ": " + e.getMessage()
                            + ": make it first (the agent does), check that no other VM has it open, and run as root"
                            + " or with CAP_NET_ADMIN",
                    e);
        }
        try {
            return new VirtioNet(name, memory, tap.fd(), tap::setOffloads, tap, mac, mtu);
        } catch (RuntimeException e) {
            tap.close();
            throw e;
        }
    }

    /** A card on {@code fd}, which does not block and keeps frames apart; {@code owner} is closed with the device. */
    VirtioNet(String name, GuestMemory memory, int fd, TapOffloads offloads, AutoCloseable owner, String mac, int mtu) {
        super(name);
        this.fd = fd;
        this.offloads = offloads;
        this.owner = owner;
        this.mac = mac;
        this.mtu = mtu;
        parseMac(mac, config);
        config[8] = 1; // one pair of queues
        config[CONFIG_MTU] = (byte) mtu;
        config[CONFIG_MTU + 1] = (byte) (mtu >>> 8);
        window = new ReceiveWindow(memory, QUEUE_SIZE);
        transmit = new IoVectors(memory, QUEUE_SIZE);
    }

    private static void parseMac(String mac, byte[] into) {
        if (!mac.matches("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")) {
            throw new DeviceException("'" + mac + "' is no MAC address: write it as 52:54:00:12:34:56");
        }
        for (int i = 0; i < MAC_BYTES; i++) {
            into[i] = (byte) Integer.parseInt(mac.substring(3 * i, 3 * i + 2), 16);
        }
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
        return 3;
    }

    @Override
    public int queueMaxSize() {
        return QUEUE_SIZE;
    }

    @Override
    public int readConfig(int offset) {
        if (offset == CONFIG_STATUS) {
            return status;
        }
        return offset < CONFIG_BYTES ? config[offset] & 0xff : 0;
    }

    @Override
    void start(Activation newActivation) {
        activation = newActivation;
        receiveQueue = newActivation.queues().get(RECEIVE);
        transmitQueue = newActivation.queues().get(TRANSMIT);
        controlQueue = newActivation.queues().get(CONTROL);
        boolean tso4 = newActivation.accepted(FEATURE_GUEST_TSO4);
        boolean tso6 = newActivation.accepted(FEATURE_GUEST_TSO6);
        offloads.set(newActivation.accepted(FEATURE_GUEST_CSUM), tso4, tso6);
        mergeable = newActivation.accepted(FEATURE_MRG_RXBUF);
        // Without segmentation a frame fits into one buffer, unless the guest has strange ones: those take the detour
        // over `held`.
        windowBytes = mergeable && (tso4 || tso6) ? LARGEST_BYTES : 1;
        windowChains = mergeable ? QUEUE_SIZE : 1;
        starved = false;
        transmitBlocked = false;
        if (!newActivation.accepted(FEATURE_GUEST_ANNOUNCE)) {
            announcesLeft = 0;
        }
        announceAtNs = System.nanoTime();
        window.clear();
    }

    @Override
    boolean doWork() {
        announce();
        boolean more = receiveBatch();
        more |= transmitBatch();
        return more | control();
    }

    /** A configuration interrupt can be lost in a driver that is busy with its first one, so this is repeated. */
    private void announce() {
        if (announcesLeft > 0 && System.nanoTime() - announceAtNs >= 0) {
            announcesLeft--;
            announceAtNs = System.nanoTime() + ANNOUNCE_AGAIN_NS;
            status = STATUS_LINK_UP | STATUS_ANNOUNCE;
            activation.signals().configChanged();
        }
    }

    private boolean receiveBatch() {
        int done = 0;
        while (done < BATCH && receiveOne()) {
            done++;
        }
        if (receiveQueue.publish()) {
            activation.signals().usedBuffers();
        }
        return done == BATCH;
    }

    /** Gives the guest the next frame: the held one, an injected one, one of the tap. False when none can go on. */
    private boolean receiveOne() {
        if (heldBytes > 0) {
            return deliverHeld();
        }
        window.fill(receiveQueue, windowBytes, windowChains);
        starved = window.bytes() == 0;
        return !starved && (receiveFrom(injected.fd()) || receiveFrom(fd));
    }

    private boolean receiveFrom(int source) {
        long room = window.bytes();
        boolean spill = room < LARGEST_BYTES;
        if (spill) {
            // The part that does not fit lands where it belongs in a copy of the whole frame.
            window.addSpill(held + room, LARGEST_BYTES - room);
        }
        long got = Libc.readv(source, window.vectorsAddress(), window.vectorCount());
        int errno = got < 0 ? Libc.errno() : 0;
        if (spill) {
            window.removeSpill();
        }
        if (got < 0) {
            if (errno == Errno.EAGAIN) {
                return false;
            }
            if (errno == Errno.EINTR) {
                return true;
            }
            throw new LinuxException("readv", "the tap of " + name() + ", is it gone?", errno);
        }
        if (got == 0) {
            throw new DeviceException("the other end of the network is closed");
        }
        if (got <= room) {
            deliver(got);
        } else {
            window.copyOut(held);
            if (mergeable) {
                heldBytes = (int) got;
                heldSinceNs = System.nanoTime();
            } else {
                drop("a frame of " + got + " bytes does not fit the guest's buffer of " + room);
            }
        }
        return true;
    }

    private void deliver(long lengthBytes) {
        if (lengthBytes < SMALLEST_BYTES) {
            drop("a frame of " + lengthBytes + " bytes");
            return;
        }
        window.use(receiveQueue, lengthBytes);
    }

    private boolean deliverHeld() {
        window.fill(receiveQueue, heldBytes, QUEUE_SIZE);
        starved = window.bytes() < heldBytes;
        if (!starved) {
            window.copyIn(held, heldBytes);
            window.use(receiveQueue, heldBytes);
            heldBytes = 0;
            return true;
        }
        if (window.isFull() || System.nanoTime() - heldSinceNs > HELD_LIMIT_NS) {
            drop("a frame of " + heldBytes + " bytes, the guest has buffers for " + window.bytes());
            heldBytes = 0;
            return true;
        }
        return false;
    }

    private boolean transmitBatch() {
        int done = 0;
        transmitBlocked = false;
        while (done < BATCH) {
            transmit.clear();
            if (!transmitQueue.pop(transmit, chain)) {
                break;
            }
            if (!send()) {
                transmitQueue.unpop(1);
                transmitBlocked = true;
                break;
            }
            transmitQueue.addUsed(chain.head, 0);
            done++;
        }
        if (transmitQueue.publish()) {
            activation.signals().usedBuffers();
        }
        return done == BATCH;
    }

    /** Returns false when the tap takes nothing just now; a frame that it will never take is dropped, as on a wire. */
    private boolean send() {
        if (chain.readableBytes < SMALLEST_BYTES || chain.readableBytes > LARGEST_BYTES) {
            drop("the guest sends a frame of " + chain.readableBytes + " bytes");
            return true;
        }
        while (Libc.writev(fd, transmit.address(chain.first), chain.readableCount) < 0) {
            int errno = Libc.errno();
            if (errno == Errno.EAGAIN) {
                return false;
            }
            if (errno != Errno.EINTR) {
                drop("the tap refuses a frame: " + Errno.describe(errno)
                        + (errno == Errno.EIO ? ", the interface is down" : ""));
                return true;
            }
        }
        return true;
    }

    /** Logs the first drop and then each time their number has doubled: neither guest nor network fills the log. */
    private void drop(String why) {
        dropped++;
        if (Long.bitCount(dropped) == 1) {
            LOG.warn("{}: dropped {} (drop {})", name(), why, dropped);
        }
    }

    private boolean control() {
        transmit.clear();
        if (!controlQueue.pop(transmit, chain)) {
            return false;
        }
        if (chain.readableBytes < 2 || chain.writableBytes < 1) {
            throw new HostileQueueException("a control command with %d readable and %d writable bytes"
                    .formatted(chain.readableBytes, chain.writableBytes));
        }
        transmit.read(chain.first, scratch, 2);
        boolean acknowledged =
                NativeMemory.getByte(scratch) == CONTROL_CLASS_ANNOUNCE && NativeMemory.getByte(scratch + 1) == 0;
        if (acknowledged) {
            announcesLeft = 0;
            status = STATUS_LINK_UP;
        }
        transmit.putByte(chain.firstWritable(), 0, (byte) (acknowledged ? CONTROL_OK : CONTROL_ERROR));
        controlQueue.addUsed(chain.head, 1);
        if (controlQueue.publish()) {
            activation.signals().usedBuffers();
        }
        return true;
    }

    @Override
    void addDescriptors(PollSet polls) {
        injectedPoll = polls.add(injected.fd(), PollSet.READABLE);
        tapPoll = polls.add(fd, PollSet.READABLE);
    }

    @Override
    int prepareToWait(PollSet polls) {
        // Without buffers, frames that wait would only make poll return at once; the guest's notification ends that.
        int receive = starved ? 0 : PollSet.READABLE;
        int send = transmitBlocked ? PollSet.WRITABLE : 0;
        polls.setFd(injectedPoll, starved ? -1 : injected.fd());
        polls.setFd(tapPoll, (receive | send) == 0 ? -1 : fd);
        polls.want(tapPoll, receive | send);
        boolean arrived = controlQueue.enableNotifications();
        arrived |= starved && receiveQueue.enableNotifications();
        arrived |= !transmitBlocked && transmitQueue.enableNotifications();
        if (arrived) {
            return 0;
        }
        long nextNs = Long.MAX_VALUE;
        long nowNs = System.nanoTime();
        if (announcesLeft > 0) {
            nextNs = announceAtNs - nowNs;
        }
        if (heldBytes > 0) {
            nextNs = Math.min(nextNs, heldSinceNs + HELD_LIMIT_NS - nowNs);
        }
        return nextNs == Long.MAX_VALUE ? -1 : (int) TimeUnit.NANOSECONDS.toMillis(Math.max(nextNs, 0)) + 1;
    }

    @Override
    void afterWait(PollSet polls) {
        receiveQueue.disableNotifications();
        transmitQueue.disableNotifications();
        controlQueue.disableNotifications();
    }

    /** Buffers that no frame has used go back, so that the saved queue says exactly what the guest was given. */
    @Override
    void settle() {
        window.giveBack(receiveQueue);
    }

    @Override
    void stop() {
        activation = null;
        window.clear();
        heldBytes = 0;
        status = STATUS_LINK_UP;
    }

    @Override
    public boolean inject(ByteBuffer frameWithVnetHeader) {
        if (frameWithVnetHeader.remaining() < SMALLEST_BYTES) {
            throw new IllegalArgumentException("a frame of " + frameWithVnetHeader.remaining() + " bytes");
        }
        return injected.add(frameWithVnetHeader);
    }

    /**
     * {@inheritDoc}
     *
     * <p>The order is that in which the guest would have got them: a frame that it lacked buffers for, injected ones that
     * it has not seen, then the tap's. On the target, just before it takes over, a drain into nothing empties the tap of
     * what was flooded to it and already reached the source.
     *
     * @throws IllegalStateException when the device is not paused: its thread and this one would share the frames
     */
    @Override
    public int drain(FrameConsumer consumer, int timeoutMs) {
        synchronized (drainLock) {
            if (drainClosed) {
                return -1;
            }
            if (!isPaused()) {
                throw new IllegalStateException(name() + " is running; pause it before its frames are drained");
            }
            int count = 0;
            if (heldBytes > 0) {
                NativeMemory.copy(held, NativeMemory.addressOf(drained), heldBytes);
                count += handOver(heldBytes, consumer);
                heldBytes = 0;
            }
            count += drainFrom(injected.fd(), consumer);
            int fromTap = drainFrom(fd, consumer);
            if (count + fromTap == 0 && timeoutMs > 0) {
                try (PollSet polls = new PollSet(1)) {
                    polls.add(fd, PollSet.READABLE);
                    polls.await(timeoutMs);
                }
                fromTap = drainFrom(fd, consumer);
            }
            return count + fromTap;
        }
    }

    private int drainFrom(int source, FrameConsumer consumer) {
        int count = 0;
        long address = NativeMemory.addressOf(drained);
        for (int i = 0; i < DRAIN_FRAMES; i++) {
            long got = Libc.read(source, address, LARGEST_BYTES);
            if (got < 0 && Libc.errno() == Errno.EINTR) {
                continue;
            }
            if (got <= 0) {
                // EAGAIN, or a tap that is being taken away: either way nothing is held any more.
                break;
            }
            count += handOver((int) got, consumer);
        }
        return count;
    }

    private int handOver(int lengthBytes, FrameConsumer consumer) {
        if (lengthBytes < SMALLEST_BYTES || !isForGuest()) {
            return 0;
        }
        drained.clear().limit(lengthBytes);
        consumer.accept(drained);
        return 1;
    }

    private boolean isForGuest() {
        long destination = NativeMemory.addressOf(drained) + Tap.VNET_HEADER_BYTES;
        for (int i = 0; i < MAC_BYTES; i++) {
            if (NativeMemory.getByte(destination + i) != config[i]) {
                return false;
            }
        }
        return true;
    }

    @Override
    void closeDescriptors() {
        synchronized (drainLock) {
            drainClosed = true;
            injected.close();
            try {
                owner.close();
            } catch (Exception e) {
                throw new DeviceException(name() + ": cannot close the tap: " + e.getMessage(), e);
            }
        }
        window.close();
        transmit.close();
        NativeMemory.free(held);
        NativeMemory.free(scratch);
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
        if (!saved.mac().equalsIgnoreCase(mac) || saved.mtu() != mtu) {
            throw new DeviceException("%s has address %s and MTU %d, the saved card %s and %d: give it the same ones"
                    .formatted(name(), mac, mtu, saved.mac(), saved.mtu()));
        }
        announcesLeft = ANNOUNCE_TIMES;
    }
}
