// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The far end of a switch port, as QEMU is: frames in a stream over a Unix socket. One reader thread. */
final class FakeMachine implements AutoCloseable {

    final long address;
    private final SocketChannel socket;
    private final DataOutputStream out;
    private final BlockingQueue<byte[]> received = new LinkedBlockingQueue<>();

    FakeMachine(SwitchPort port, long address) throws IOException {
        this.address = address;
        socket = SocketChannel.open(UnixDomainSocketAddress.of(port.socket()));
        OutputStream raw = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
                while (buffer.hasRemaining()) {
                    socket.write(buffer);
                }
            }
        };
        out = new DataOutputStream(raw);
        InputStream in = Channels.newInputStream(socket);
        Thread reader = new Thread(() -> read(new DataInputStream(in)), "fake-machine-" + port.name());
        reader.setDaemon(true);
        reader.start();
    }

    private void read(DataInputStream in) {
        try {
            while (true) {
                byte[] frame = new byte[in.readInt()];
                in.readFully(frame);
                received.add(frame);
            }
        } catch (IOException e) {
            // The test, or the switch, closed the socket: nothing more will come.
        }
    }

    void send(long target, int number) throws IOException {
        sendRaw(frame(target, address, number, 60));
    }

    void sendRaw(byte[] frame) throws IOException {
        ByteBuffer message =
                ByteBuffer.allocate(4 + frame.length).putInt(frame.length).put(frame);
        out.write(message.array());
    }

    /** Number of the next frame, or -1 when none comes in time. */
    int next(long timeoutMs) throws InterruptedException {
        byte[] frame = received.poll(timeoutMs, TimeUnit.MILLISECONDS);
        return frame == null ? -1 : ByteBuffer.wrap(frame).getInt(14);
    }

    static byte[] frame(long target, long source, int number, int lengthBytes) {
        ByteBuffer frame = ByteBuffer.allocate(lengthBytes);
        frame.putShort((short) (target >> 32)).putInt((int) target);
        frame.putShort((short) (source >> 32)).putInt((int) source);
        return frame.putShort((short) 0x88b5).putInt(number).array();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
