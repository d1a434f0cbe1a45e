// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryVmStoreTest extends VmStoreSuite {
    @TempDir
    Path directory;

    @Override
    BackEnd backEnd() {
        return new DirectoryBackEnd(directory.resolve("store"));
    }

    @Override
    int histories() {
        return 25;
    }

    @Test
    void aFullDiskIsNamedAndLeavesNoTemporaryFile() throws IOException {
        FileOpener full = path -> {
            FileOpener.OpenFile file = FileOpener.REAL.createNew(path);
            return new FileOpener.OpenFile() {
                @Override
                public int write(ByteBuffer content) throws IOException {
                    throw new IOException("No space left on device");
                }

                @Override
                public void force() {}

                @Override
                public void close() throws IOException {
                    file.close();
                }
            };
        };
        Path root = directory.resolve("full");
        DirectoryObjectStore store = new DirectoryObjectStore(root, full);
        assertThatThrownBy(() -> store.put("a", bytes("x")))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("disk full under " + root)
                .hasMessageContaining("free space");
        try (Stream<Path> left = Files.list(root.resolve(".tmp"))) {
            assertThat(left).isEmpty();
        }
        ModelVm model = new ModelVm(64);
        try (EpochWriter writer = new DefaultVmStore(store, "vm-1", SMALL).writer(record(1), VmShape.ofMemory(64))) {
            model.append(writer);
            assertThatThrownBy(() -> model.commit(writer)).hasMessageContaining("disk full");
        }
    }

    @Test
    void anFsyncThatFailsFailsTheWrite() {
        FileOpener failing = path -> {
            FileOpener.OpenFile file = FileOpener.REAL.createNew(path);
            return new FileOpener.OpenFile() {
                @Override
                public int write(ByteBuffer content) throws IOException {
                    return file.write(content);
                }

                @Override
                public void force() throws IOException {
                    throw new IOException("Input/output error");
                }

                @Override
                public void close() throws IOException {
                    file.close();
                }
            };
        };
        DirectoryObjectStore store = new DirectoryObjectStore(directory.resolve("bad"), failing);
        assertThatThrownBy(() -> store.putIfAbsent("a", bytes("x"))).hasMessageContaining("Input/output error");
        assertThat(store.get("a")).isEmpty();
    }

    @Test
    void urlsThatNameNoStoreAreExplained() {
        assertThatThrownBy(() -> ObjectStores.open("ftp://x", Optional.empty(), Optional.empty()))
                .hasMessageContaining(
                        "dir:/path, s3://bucket/prefix, azblob://account/container/prefix or gs://bucket/prefix");
        assertThatThrownBy(() -> ObjectStores.open("dir:relative", Optional.empty(), Optional.empty()))
                .hasMessageContaining("whole path");
    }

    @Test
    void aFileWhereTheDirectoryShouldBeIsNamed() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        assertThatThrownBy(() -> ObjectStores.open("dir:" + file, Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("cannot use " + file);
    }
}
