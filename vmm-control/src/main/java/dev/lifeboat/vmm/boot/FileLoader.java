// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.VmmException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Copies a piece of a file into guest memory, a megabyte at a time. */
final class FileLoader {
    private static final int CHUNK_BYTES = 1 << 20;

    private FileLoader() {}

    static void load(String what, Path path, long offset, long lengthBytes, GuestMemory memory, long guestAddress) {
        ByteBuffer chunk = ByteBuffer.allocate(CHUNK_BYTES);
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            long done = 0;
            while (done < lengthBytes) {
                chunk.clear().limit((int) Math.min(CHUNK_BYTES, lengthBytes - done));
                int got = file.read(chunk, offset + done);
                if (got < 0) {
                    throw new VmmException("the " + what + " " + path + " ended after " + (offset + done) + " of "
                            + (offset + lengthBytes) + " bytes; was it being replaced? Try again");
                }
                memory.write(guestAddress + done, chunk.array(), 0, got);
                done += got;
            }
        } catch (IOException e) {
            throw new VmmException("the " + what + " " + path + " cannot be read: " + e, e);
        }
    }
}
