// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.linux.netlink.Rtnetlink;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Every frame that arrives at one interface, see packet(7). One thread. */
final class TestCapture implements AutoCloseable {
    private static final int SOCK_RAW_NONBLOCK = 3 | 0x800;
    private static final int ETH_P_ALL = 3;
    private static final int FRAME_BYTES = 2_048;

    private final int fd;
    private final long buffer = NativeMemory.allocate(FRAME_BYTES);
    private final List<byte[]> frames = new ArrayList<>();

    private TestCapture(int fd) {
        this.fd = fd;
    }

    static TestCapture open(TestNamespace namespace, String interfaceName) throws Exception {
        int index = namespace.links().find(interfaceName).orElseThrow().index();
        return namespace.call(() -> {
            int protocol = Short.reverseBytes((short) ETH_P_ALL);
            int fd = Libc.check(Libc.socket(Rtnetlink.AF_PACKET, SOCK_RAW_NONBLOCK, protocol), "socket", "AF_PACKET");
            TestCapture capture = new TestCapture(fd);
            NativeMemory.putShort(capture.buffer, (short) Rtnetlink.AF_PACKET);
            NativeMemory.putShort(capture.buffer + 2, (short) protocol);
            NativeMemory.putInt(capture.buffer + 4, index);
            Libc.check(Libc.bind(fd, capture.buffer, 20), "bind", interfaceName);
            return capture;
        });
    }

    /** How many frames equal to {@code frame} came so far. */
    long count(byte[] frame) {
        for (long length = receive(); length >= 0; length = receive()) {
            byte[] received = new byte[(int) length];
            NativeMemory.copy(buffer, received, 0, received.length);
            frames.add(received);
        }
        return frames.stream()
                .filter(received -> Arrays.equals(received, frame))
                .count();
    }

    private long receive() {
        return Libc.recv(fd, buffer, FRAME_BYTES, 0);
    }

    @Override
    public void close() {
        Libc.close(fd);
        NativeMemory.free(buffer);
    }
}
