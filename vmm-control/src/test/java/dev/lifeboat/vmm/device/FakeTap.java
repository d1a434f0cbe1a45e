// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;

/** Stands in for a tap without root: a pair of sockets that keep frames apart; this is the network's end. */
final class FakeTap implements AutoCloseable {
    private static final int AF_UNIX = 1;
    private static final int SEQPACKET_NONBLOCK_CLOEXEC = 5 | 0x800 | 0x80000;
    private static final long SIOCOUTQ = 0x5411;
    private static final int BUFFER_BYTES = 1 << 18;

    private final long sendBuffer = NativeMemory.allocate(BUFFER_BYTES);
    private final long receiveBuffer = NativeMemory.allocate(BUFFER_BYTES);
    private final int network;
    private final int device;

    FakeTap() {
        Libc.check(Libc.socketpair(AF_UNIX, SEQPACKET_NONBLOCK_CLOEXEC, 0, sendBuffer), "socketpair", "");
        network = NativeMemory.getInt(sendBuffer);
        device = NativeMemory.getInt(sendBuffer + 4);
    }

    /** What the device gets as its tap. */
    int deviceFd() {
        return device;
    }

    /** False when the tap's queue is full. */
    boolean offer(byte[] frame) {
        NativeMemory.copy(frame, 0, sendBuffer, frame.length);
        if (Libc.write(network, sendBuffer, frame.length) < 0) {
            int errno = Libc.errno();
            if (errno != Errno.EAGAIN) {
                throw new LinuxException("write", "fake tap", errno);
            }
            return false;
        }
        return true;
    }

    void send(byte[] frame) {
        if (!offer(frame)) {
            throw new AssertionError("the tap is full");
        }
    }

    /** Waits until the device has read everything that was sent. */
    void awaitTaken() {
        long deadlineNs = System.nanoTime() + 5_000_000_000L;
        do {
            Libc.check(Libc.ioctl(network, SIOCOUTQ, sendBuffer), "SIOCOUTQ", "fake tap");
            if (System.nanoTime() > deadlineNs) {
                throw new AssertionError("the device does not read");
            }
        } while (NativeMemory.getInt(sendBuffer) != 0);
    }

    /** The next frame the guest sent, or one of length 0 when there is none in time. */
    byte[] receive(int timeoutMs) {
        try (PollSet polls = new PollSet(1)) {
            polls.add(network, PollSet.READABLE);
            polls.await(timeoutMs);
        }
        long got = Libc.read(network, receiveBuffer, BUFFER_BYTES);
        byte[] frame = new byte[(int) Math.max(got, 0)];
        NativeMemory.copy(receiveBuffer, frame, 0, frame.length);
        return frame;
    }

    @Override
    public void close() {
        Libc.close(network);
        Libc.close(device);
        NativeMemory.free(sendBuffer);
        NativeMemory.free(receiveBuffer);
    }
}
