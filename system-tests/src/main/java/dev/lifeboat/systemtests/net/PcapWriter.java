// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Writes a classic pcap file (magic 0xa1b2c3d4, microseconds, Ethernet), at most {@code maxBytes} of it. Used by the
 * switch thread only; buffered, so call {@link #flush} before the file is read.
 */
final class PcapWriter implements AutoCloseable {

    /** Enough for Ethernet + IP + UDP + VXLAN + Ethernet + IPv6 + TCP with all options. */
    static final int SNAP_BYTES = 256;

    private final FileChannel file;
    private final ByteBuffer buffer = ByteBuffer.allocate(256 * 1024).order(ByteOrder.LITTLE_ENDIAN);
    private final long maxBytes;
    private long writtenBytes;
    private long omittedFrames;

    PcapWriter(Path path, long maxBytes) throws IOException {
        file = FileChannel.open(
                path, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
        this.maxBytes = maxBytes;
        buffer.putInt(0xa1b2c3d4).putShort((short) 2).putShort((short) 4);
        buffer.putInt(0).putInt(0).putInt(SNAP_BYTES).putInt(1);
    }

    void write(long epochMicros, byte[] frame) throws IOException {
        int captured = Math.min(frame.length, SNAP_BYTES);
        if (writtenBytes + 16 + captured > maxBytes) {
            omittedFrames++;
            return;
        }
        if (buffer.remaining() < 16 + captured) {
            flush();
        }
        buffer.putInt((int) (epochMicros / 1_000_000)).putInt((int) (epochMicros % 1_000_000));
        buffer.putInt(captured).putInt(frame.length).put(frame, 0, captured);
        writtenBytes += 16 + captured;
    }

    /** Frames that came after the file had reached its bound. */
    long omittedFrames() {
        return omittedFrames;
    }

    void flush() throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) {
            file.write(buffer);
        }
        buffer.clear();
    }

    @Override
    public void close() throws IOException {
        try (file) {
            flush();
        }
    }
}
