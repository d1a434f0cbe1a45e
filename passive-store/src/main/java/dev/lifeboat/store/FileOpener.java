// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** How {@link DirectoryObjectStore} opens a file to write; tests put a full or failing disk here. */
@FunctionalInterface
interface FileOpener {
    FileOpener REAL = path -> {
        FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        return new OpenFile() {
            @Override
            public int write(ByteBuffer content) throws IOException {
                return channel.write(content);
            }

            @Override
            public void force() throws IOException {
                channel.force(true);
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    };

    OpenFile createNew(Path path) throws IOException;

    /** Makes the names in a directory durable. */
    default void syncDirectory(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** A file open for writing. */
    interface OpenFile extends AutoCloseable {
        int write(ByteBuffer content) throws IOException;

        void force() throws IOException;

        @Override
        void close() throws IOException;
    }
}
