// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * One socket of the switch: a Unix stream socket that a machine connects to ({@code -netdev stream,server=off}), and
 * frames on it as QEMU writes them: four bytes of length, big endian, then the Ethernet frame. A machine that goes away
 * may be followed by another. All but {@link #name} and {@link #socket} belongs to the switch thread.
 */
public final class SwitchPort {

    /** Ethernet without offloads needs 1.5 KiB; QEMU's own limit is 68 KiB. */
    private static final int MAX_FRAME_BYTES = 128 * 1024;

    /** Beyond this a slow machine loses frames, as on a real port. */
    private static final int MAX_QUEUED_BYTES = 8 << 20;

    private final String name;
    private final Path socket;
    private final ServerSocketChannel server;
    private final Selector selector;
    private final ByteBuffer in = ByteBuffer.allocateDirect(256 * 1024);
    private final ByteBuffer out = ByteBuffer.allocateDirect(256 * 1024);
    private final ArrayDeque<byte[]> waiting = new ArrayDeque<>();
    private final Map<SwitchPort, Link> linksTo = new HashMap<>();

    private int waitingBytes;
    private SocketChannel machine;
    private SelectionKey machineKey;
    private PcapWriter recorder;
    private boolean unplugged;
    long overflowedFrames;
    long receivedFrames;
    long sentFrames;

    SwitchPort(String name, Path socket, Selector selector) throws IOException {
        this.name = name;
        this.socket = socket;
        this.selector = selector;
        Files.deleteIfExists(socket);
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(socket));
            server.configureBlocking(false);
        } catch (IOException | RuntimeException e) {
            server.close();
            throw new IOException(
                    "switch port " + name + " cannot listen at " + socket + " (a Unix socket path holds 107 bytes): "
                            + e.getMessage(),
                    e);
        }
        out.flip();
    }

    public String name() {
        return name;
    }

    /** Where the machine connects. */
    public Path socket() {
        return socket;
    }

    void register() throws IOException {
        server.register(selector, SelectionKey.OP_ACCEPT, this);
    }

    Link linkTo(SwitchPort other) {
        return linksTo.computeIfAbsent(other, o -> new Link());
    }

    void setUnplugged(boolean newValue) {
        unplugged = newValue;
    }

    boolean isUnplugged() {
        return unplugged;
    }

    boolean isConnected() {
        return machine != null;
    }

    void setRecorder(PcapWriter newRecorder) {
        recorder = newRecorder;
    }

    PcapWriter recorder() {
        return recorder;
    }

    void accept() throws IOException {
        SocketChannel newcomer = server.accept();
        if (newcomer == null) {
            return;
        }
        hangUp();
        newcomer.configureBlocking(false);
        machine = newcomer;
        machineKey = newcomer.register(selector, SelectionKey.OP_READ, this);
    }

    /** Reads what is there and hands each whole frame over. A machine that went away, or lies, is hung up on. */
    void read(Consumer<byte[]> frames) {
        try {
            int count = machine.read(in);
            if (count < 0) {
                hangUp();
                return;
            }
        } catch (IOException e) {
            hangUp(); // the machine's process is gone; its port waits for the next one
            return;
        }
        in.flip();
        while (in.remaining() >= 4) {
            int length = in.getInt(in.position());
            if (length < 14 || length > MAX_FRAME_BYTES) {
                hangUp();
                return;
            }
            if (in.remaining() < 4 + length) {
                break;
            }
            byte[] frame = new byte[length];
            in.position(in.position() + 4);
            in.get(frame);
            receivedFrames++;
            frames.accept(frame);
            if (machine == null) {
                return;
            }
        }
        in.compact();
    }

    void send(byte[] frame) {
        if (machine == null) {
            return;
        }
        if (waitingBytes + frame.length > MAX_QUEUED_BYTES) {
            overflowedFrames++;
            return;
        }
        waiting.add(frame);
        waitingBytes += frame.length;
        sentFrames++;
    }

    /** Writes as much as the machine takes; asks the selector for more only when something is left. */
    void flush() {
        if (machine == null) {
            return;
        }
        try {
            while (true) {
                if (out.hasRemaining()) {
                    machine.write(out);
                    if (out.hasRemaining()) {
                        break;
                    }
                }
                if (waiting.isEmpty()) {
                    break;
                }
                out.clear();
                while (!waiting.isEmpty() && out.remaining() >= 4 + waiting.peek().length) {
                    byte[] frame = waiting.poll();
                    waitingBytes -= frame.length;
                    out.putInt(frame.length).put(frame);
                }
                out.flip();
            }
            int interest = SelectionKey.OP_READ | (out.hasRemaining() ? SelectionKey.OP_WRITE : 0);
            if (machineKey.interestOps() != interest) {
                machineKey.interestOps(interest);
            }
        } catch (IOException e) {
            hangUp();
        }
    }

    private void hangUp() {
        waiting.clear();
        waitingBytes = 0;
        in.clear();
        out.clear().flip();
        if (machine != null) {
            machineKey.cancel();
            closeQuietly(machine);
            machine = null;
            machineKey = null;
        }
    }

    void close() throws IOException {
        hangUp();
        server.close();
        Files.deleteIfExists(socket);
        if (recorder != null) {
            recorder.close();
        }
    }

    private static void closeQuietly(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // The other end is gone already; there is nothing left to release.
        }
    }
}
