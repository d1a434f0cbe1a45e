// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.InputStream;
import java.nio.ByteBuffer;

/** Reads a buffer as a stream, from its position to its limit. */
public final class BufferInputStream extends InputStream {
    private final ByteBuffer buffer;

    public BufferInputStream(ByteBuffer buffer) {
        this.buffer = buffer.mark();
    }

    @Override
    public int read() {
        return buffer.hasRemaining() ? buffer.get() & 0xff : -1;
    }

    @Override
    public int read(byte[] into, int offset, int length) {
        if (!buffer.hasRemaining()) {
            return length == 0 ? 0 : -1;
        }
        int count = Math.min(length, buffer.remaining());
        buffer.get(into, offset, count);
        return count;
    }

    @Override
    public int available() {
        return buffer.remaining();
    }

    @Override
    public boolean markSupported() {
        return true;
    }

    @Override
    public synchronized void mark(int limit) {
        buffer.mark();
    }

    @Override
    public synchronized void reset() {
        buffer.reset();
    }
}
