// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
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
    void whatAWriterThatCrashedLeftGoesADayLaterAndWhatIsBeingWrittenStays() throws IOException {
        objects.put("vm/a", bytes("x"));
        Path temporary = directory.resolve("store").resolve(".tmp");
        Instant now = Instant.now();
        Path old = Files.writeString(temporary.resolve("old"), "half");
        Path young = Files.writeString(temporary.resolve("young"), "half");
        Files.setLastModifiedTime(old, FileTime.from(now.minus(Duration.ofHours(25))));
        Files.setLastModifiedTime(young, FileTime.from(now.minus(Duration.ofHours(23))));
        Path object = directory.resolve("store/vm/a");
        Files.setLastModifiedTime(object, FileTime.from(now.minus(Duration.ofDays(9))));
        String url = "dir:" + directory.resolve("store");
        ObjectStores.openExisting(url, Optional.empty(), Optional.empty()).close();
        assertThat(old).as("looking changes nothing").exists();
        ObjectStores.open(url, Optional.empty(), Optional.empty()).close();
        assertThat(old).doesNotExist();
        assertThat(young).exists();
        assertThat(object).exists();
    }

    @Test
    void whatIsBeingWrittenIsInNoListing() throws IOException {
        objects.put("a", bytes("x"));
        Files.writeString(directory.resolve("store").resolve(".tmp").resolve("left-by-a-crash"), "half");
        assertThat(objects.list("", 10)).containsExactly("a");
    }
}
