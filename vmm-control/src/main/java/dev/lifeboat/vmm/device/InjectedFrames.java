// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import java.nio.ByteBuffer;

/**
 * A bounded queue of frames that are put into a guest by hand: a pair of SOCK_SEQPACKET sockets, so that the device
 * sleeps on it and reads from it into guest memory exactly as from a tap. Any thread adds, the device thread reads.
 */
final class InjectedFrames implements AutoCloseable {
    private static final int AF_UNIX = 1;
    private static final int SOCK_SEQPACKET = 5;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDBUF = 7;
    private static final int SO_SNDBUFFORCE = 32;
    /** A tap holds 500 to 1000 frames (TUN_READQ_SIZE, txqueuelen); each costs the kernel about 2.3 KiB here. */
    private static final int CAPACITY_BYTES = 4 << 20;

    private final int largestFrameBytes;
    private final long staging;
    private final int reader;
    private final int writer;
    private boolean closed;

    InjectedFrames(int largestFrameBytes) {
        this.largestFrameBytes = largestFrameBytes;
        staging = NativeMemory.allocate(largestFrameBytes);
        int made = Libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, staging);
        if (made < 0) {
            int errno = Libc.errno();
            NativeMemory.free(staging);
            throw new LinuxException("socketpair", "SOCK_SEQPACKET", errno);
        }
        reader = NativeMemory.getInt(staging);
        writer = NativeMemory.getInt(staging + 4);
        NativeMemory.putInt(staging, CAPACITY_BYTES);
        if (Libc.setsockopt(writer, SOL_SOCKET, SO_SNDBUFFORCE, staging, 4) < 0) {
            // Not privileged: as much as net.core.wmem_max allows. A full queue makes the sender wait, no more.
            Libc.setsockopt(writer, SOL_SOCKET, SO_SNDBUF, staging, 4);
        }
    }

    /** What the device thread polls and reads; each read takes one frame. */
    int fd() {
        return reader;
    }

    /** Adds a copy of {@code frame}; false when the queue is full or closed. */
    synchronized boolean add(ByteBuffer frame) {
        int length = frame.remaining();
        if (length > largestFrameBytes) {
            throw new IllegalArgumentException("a frame of " + length + " bytes, more than " + largestFrameBytes);
        }
        if (closed) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            NativeMemory.putByte(staging + i, frame.get(frame.position() + i));
        }
        if (Libc.write(writer, staging, length) < 0) {
            int errno = Libc.errno();
            if (errno == Errno.EAGAIN || errno == Errno.EINTR) {
                return false;
            }
            throw new LinuxException("write", "injected frame of " + length + " bytes", errno);
        }
        return true;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.close(reader);
            Libc.close(writer);
            NativeMemory.free(staging);
        }
    }
}
