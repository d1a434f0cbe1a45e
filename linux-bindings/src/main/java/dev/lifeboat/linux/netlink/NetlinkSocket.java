// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A socket to the kernel's routing netlink family, see netlink(7) and rtnetlink(7). It belongs to the network
 * namespace of the thread that opened it, whichever thread uses it later. Calls are serialised, so any thread may use
 * it; each sends one request and returns when the kernel has answered or after {@value #TIMEOUT_MS} ms.
 */
public final class NetlinkSocket implements AutoCloseable {
    private static final int SOCK_RAW = 3;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_RCVTIMEO = 20;
    private static final int MSG_TRUNC = 0x20;
    private static final int SOCKADDR_NL_BYTES = 12;
    private static final int TIMEVAL_BYTES = 16;
    private static final long TIMEOUT_MS = 5_000;
    // A dump arrives in pieces of at most 32 KiB (NLMSG_GOODSIZE logic of af_netlink.c); single answers are smaller.
    private static final int BUFFER_BYTES = 64 * 1024;
    // A dump that raced with a change is flagged and must be repeated; this many races in a row is no accident.
    private static final int DUMP_ATTEMPTS = 10;

    private final int fd;
    private final long buffer;
    private int sequence;
    private boolean closed;

    private NetlinkSocket(int fd, long buffer) {
        this.fd = fd;
        this.buffer = buffer;
    }

    /**
     * Opens the socket in the calling thread's network namespace.
     *
     * @throws LinuxException when the kernel refuses; needs no privilege by itself
     */
    public static NetlinkSocket openRoute() {
        int fd = Libc.check(
                Libc.socket(Rtnetlink.AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, Rtnetlink.NETLINK_ROUTE),
                "socket",
                "AF_NETLINK, NETLINK_ROUTE");
        long buffer = NativeMemory.allocate(BUFFER_BYTES);
        try {
            // Extended acknowledgements carry the kernel's own sentence about what is wrong; "capped" keeps the
            // request out of the answer.
            setOption(fd, buffer, Rtnetlink.SOL_NETLINK, Rtnetlink.NETLINK_EXT_ACK, "NETLINK_EXT_ACK");
            setOption(fd, buffer, Rtnetlink.SOL_NETLINK, Rtnetlink.NETLINK_CAP_ACK, "NETLINK_CAP_ACK");
            NativeMemory.putLong(buffer, TIMEOUT_MS / 1_000);
            NativeMemory.putLong(buffer + 8, TIMEOUT_MS % 1_000 * 1_000);
            Libc.check(
                    Libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, buffer, TIMEVAL_BYTES), "setsockopt", "SO_RCVTIMEO");
            NativeMemory.fill(buffer, SOCKADDR_NL_BYTES, (byte) 0);
            NativeMemory.putShort(buffer, (short) Rtnetlink.AF_NETLINK);
            Libc.check(Libc.bind(fd, buffer, SOCKADDR_NL_BYTES), "bind", "AF_NETLINK");
            return new NetlinkSocket(fd, buffer);
        } catch (RuntimeException e) {
            NativeMemory.free(buffer);
            Libc.close(fd);
            throw e;
        }
    }

    private static void setOption(int fd, long scratch, int level, int option, String name) {
        NativeMemory.putInt(scratch, 1);
        Libc.check(Libc.setsockopt(fd, level, option, scratch, Integer.BYTES), "setsockopt", name);
    }

    /**
     * Sends a request that changes something, or asks for one object, and waits for the acknowledgement.
     *
     * @return the messages that came before the acknowledgement: none for a change, the object for a question
     * @throws LinuxException with the kernel's errno and its own sentence when it gave one
     */
    public synchronized List<NetlinkMessage> execute(NetlinkRequest request) {
        send(request, Rtnetlink.NLM_F_REQUEST | Rtnetlink.NLM_F_ACK);
        return receive(request).messages();
    }

    /** Asks for all objects of a kind; repeats when the kernel says that the list changed meanwhile. */
    public synchronized List<NetlinkMessage> dump(NetlinkRequest request) {
        for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
            send(request, Rtnetlink.NLM_F_REQUEST | Rtnetlink.NLM_F_DUMP);
            Answer answer = receive(request);
            if (!answer.interrupted()) {
                return answer.messages();
            }
        }
        throw failure(request, Optional.of("the list changed during " + DUMP_ATTEMPTS + " dumps"), Errno.EAGAIN);
    }

    private void send(NetlinkRequest request, int flags) {
        if (closed) {
            throw new IllegalStateException("the netlink socket is closed: " + request.purpose());
        }
        byte[] message = request.encode(flags, ++sequence);
        NativeMemory.copy(message, 0, buffer, message.length);
        if (Libc.send(fd, buffer, message.length, 0) < 0) {
            throw failure(request, Optional.empty(), Libc.errno());
        }
    }

    private Answer receive(NetlinkRequest request) {
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(TIMEOUT_MS);
        List<NetlinkMessage> messages = new ArrayList<>();
        boolean interrupted = false;
        while (System.nanoTime() - deadlineNs < 0) {
            ByteBuffer piece = receivePiece(request);
            while (piece.remaining() >= Rtnetlink.NLMSGHDR_BYTES) {
                int start = piece.position();
                int lengthBytes = piece.getInt(start);
                if (lengthBytes < Rtnetlink.NLMSGHDR_BYTES || lengthBytes > piece.remaining()) {
                    throw new IllegalArgumentException("a netlink message claims " + lengthBytes + " bytes of "
                            + piece.remaining() + ": " + request.purpose());
                }
                int type = Short.toUnsignedInt(piece.getShort(start + 4));
                int flags = Short.toUnsignedInt(piece.getShort(start + 6));
                int answered = piece.getInt(start + 8);
                byte[] payload = new byte[lengthBytes - Rtnetlink.NLMSGHDR_BYTES];
                piece.get(start + Rtnetlink.NLMSGHDR_BYTES, payload);
                piece.position(Math.min(piece.limit(), start + NetlinkAttributes.align(lengthBytes)));
                // The late answer to a request that had timed out is not ours any more.
                if (answered != sequence) {
                    continue;
                }
                interrupted |= (flags & Rtnetlink.NLM_F_DUMP_INTR) != 0;
                if (type == Rtnetlink.NLMSG_ERROR || type == Rtnetlink.NLMSG_DONE) {
                    failUnlessZero(request, payload, flags);
                    return new Answer(messages, interrupted);
                }
                messages.add(new NetlinkMessage(type, payload));
            }
        }
        throw failure(request, Optional.empty(), Errno.ETIMEDOUT);
    }

    private ByteBuffer receivePiece(NetlinkRequest request) {
        long received = Libc.recv(fd, buffer, BUFFER_BYTES, MSG_TRUNC);
        if (received < 0) {
            int errno = Libc.errno();
            if (errno == Errno.EINTR) {
                return ByteBuffer.allocate(0);
            }
            throw failure(request, Optional.empty(), errno == Errno.EAGAIN ? Errno.ETIMEDOUT : errno);
        }
        if (received > BUFFER_BYTES) {
            throw failure(request, Optional.of("an answer of " + received + " bytes"), Errno.ENOBUFS);
        }
        byte[] piece = new byte[(int) received];
        NativeMemory.copy(buffer, piece, 0, piece.length);
        return ByteBuffer.wrap(piece).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Both NLMSG_ERROR and NLMSG_DONE begin with a negative errno or 0. */
    private static void failUnlessZero(NetlinkRequest request, byte[] payload, int flags) {
        if (payload.length < Integer.BYTES) {
            return;
        }
        int error = ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN).getInt(0);
        if (error != 0) {
            throw failure(request, kernelText(payload, flags), -error);
        }
    }

    private static Optional<String> kernelText(byte[] payload, int flags) {
        // struct nlmsgerr: the errno, then the header of the request; its body is absent because of NETLINK_CAP_ACK.
        int attributes = Integer.BYTES + Rtnetlink.NLMSGHDR_BYTES;
        if ((flags & Rtnetlink.NLM_F_ACK_TLVS) == 0
                || (flags & Rtnetlink.NLM_F_CAPPED) == 0
                || payload.length < attributes) {
            return Optional.empty();
        }
        return NetlinkAttributes.parse(payload, attributes).text(Rtnetlink.NLMSGERR_ATTR_MSG);
    }

    private static LinuxException failure(NetlinkRequest request, Optional<String> kernelText, int errno) {
        String detail = request.purpose()
                + kernelText.map(text -> "; the kernel says: " + text).orElse("");
        return new LinuxException(Rtnetlink.nameOf(request.type()), detail, errno);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.close(fd);
            NativeMemory.free(buffer);
        }
    }

    private record Answer(List<NetlinkMessage> messages, boolean interrupted) {}
}
