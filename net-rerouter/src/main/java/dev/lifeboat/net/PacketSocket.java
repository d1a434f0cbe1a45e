// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.linux.netlink.Rtnetlink;

/** Sends whole Ethernet frames out of one interface, see packet(7). Receives nothing. Any thread, one at a time. */
final class PacketSocket implements AutoCloseable {
    private static final int SOCK_RAW = 3;
    private static final int SOCK_CLOEXEC = 0x80000;
    // struct sockaddr_ll: family, protocol, interface index, ...
    private static final int SOCKADDR_LL_BYTES = 20;
    private static final int SOCKADDR_LL_INDEX_OFFSET = 4;
    private static final int FRAME_CAPACITY_BYTES = 256;

    private final int fd;
    private final int interfaceIndex;
    private final long buffer;
    private boolean closed;

    private PacketSocket(int fd, int interfaceIndex, long buffer) {
        this.fd = fd;
        this.interfaceIndex = interfaceIndex;
        this.buffer = buffer;
    }

    static PacketSocket open(int interfaceIndex) {
        // Protocol 0: the kernel queues no received frame for this socket.
        int fd = Libc.check(
                Libc.socket(Rtnetlink.AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "socket", "AF_PACKET, SOCK_RAW");
        long buffer = NativeMemory.allocate(FRAME_CAPACITY_BYTES);
        try {
            NativeMemory.putShort(buffer, (short) Rtnetlink.AF_PACKET);
            NativeMemory.putInt(buffer + SOCKADDR_LL_INDEX_OFFSET, interfaceIndex);
            Libc.check(Libc.bind(fd, buffer, SOCKADDR_LL_BYTES), "bind", "AF_PACKET, interface " + interfaceIndex);
            return new PacketSocket(fd, interfaceIndex, buffer);
        } catch (RuntimeException e) {
            NativeMemory.free(buffer);
            Libc.close(fd);
            throw e;
        }
    }

    synchronized void send(byte[] frame) {
        if (frame.length > FRAME_CAPACITY_BYTES) {
            throw new IllegalArgumentException("a frame of " + frame.length + " bytes; announcements are short");
        }
        if (closed) {
            throw new IllegalStateException("the packet socket is closed");
        }
        NativeMemory.copy(frame, 0, buffer, frame.length);
        Libc.check(
                Libc.send(fd, buffer, frame.length, 0),
                "send",
                frame.length + " bytes, AF_PACKET, interface " + interfaceIndex);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.close(fd);
            NativeMemory.free(buffer);
        }
    }
}
