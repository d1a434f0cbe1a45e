// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryObjectStoreTest extends ObjectStoreSuite {
    @TempDir
    Path directory;

    @Override
    BackEnd backEnd() {
        return new DirectoryBackEnd(directory.resolve("store"));
    }

    /** Root is refused nothing, so the file system's answer is given. */
    @Test
    void aDirectoryThatCannotBeWrittenIsExplained() {
        for (IOException answer : new IOException[] {
            new FileSystemException("x", null, "Read-only file system"), new AccessDeniedException("x")
        }) {
            try (ObjectStore store = new DirectoryObjectStore(directory.resolve("refusing"), path -> {
                throw answer;
            })) {
                assertThatThrownBy(() -> store.put("a", bytes("x")))
                        .isInstanceOf(StoreException.class)
                        .isNotInstanceOf(UnclearOutcomeException.class)
                        .hasMessageContaining("no permission to write")
                        .hasMessageContaining("mount " + directory.resolve("refusing") + " writable");
            }
        }
    }

    @Test
    void aFileUnderTheNameOfAFolderIsSaidAndNotReplaced() throws IOException {
        Files.writeString(directory.resolve("store").resolve("vm"), "not ours");
        assertThatThrownBy(() -> objects.put("vm/a", bytes("x")))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("vm");
        assertThat(directory.resolve("store").resolve("vm")).hasContent("not ours");
    }

    @Test
    void whatIsBeingWrittenIsInNoListing() throws IOException {
        objects.put("a", bytes("x"));
        Files.writeString(directory.resolve("store").resolve(".tmp").resolve("left-by-a-crash"), "half");
        assertThat(objects.list("", 10)).containsExactly("a");
    }
}
