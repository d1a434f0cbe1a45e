// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.azure;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/** Writes into a buffer up to its limit; more is an error of the server's. */
final class BufferOutput extends OutputStream {
    private final ByteBuffer buffer;

    BufferOutput(ByteBuffer buffer) {
        this.buffer = buffer;
    }

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] from, int offset, int length) throws IOException {
        if (length > buffer.remaining()) {
            throw new IOException("the server sent more than was asked for");
        }
        buffer.put(from, offset, length);
    }
}
