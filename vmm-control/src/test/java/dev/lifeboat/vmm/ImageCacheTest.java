// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.store.BaseImages;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.vmm.device.DiskImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageCacheTest {
    @TempDir
    Path directory;

    private Path image(String content) throws IOException {
        return Files.writeString(directory.resolve("image"), content);
    }

    @Test
    void anotherHostGetsTheImageFromTheStore() throws IOException {
        try (ObjectStore objects =
                ObjectStores.open("dir:" + directory.resolve("store"), Optional.empty(), Optional.empty())) {
            DiskImage.Base here = new ImageCache(directory.resolve("here"))
                    .adopt(image("debian"), Optional.of(new BaseImages(objects)));
            DiskImage.Base there = new ImageCache(directory.resolve("there")).get(here.id(), new BaseImages(objects));
            assertThat(there.id()).isEqualTo(here.id());
            assertThat(Path.of(there.path())).hasContent("debian").isNotEqualTo(Path.of(here.path()));
        }
    }

    @Test
    void whatAnInterruptedFetchLeftBehindGoesAndWhatIsOnItsWayStays() throws IOException {
        Path cache = Files.createDirectory(directory.resolve("cache"));
        Path left = Files.createFile(cache.resolve("sha256-00.1.part"));
        Path onItsWay = Files.createFile(cache.resolve("sha256-00.2.part"));
        Files.setLastModifiedTime(left, FileTime.from(Instant.now().minus(Duration.ofDays(2))));
        DiskImage.Base base = new ImageCache(cache).adopt(image("debian"), Optional.empty());
        assertThat(cache).isDirectoryContaining(Path.of(base.path())::equals);
        assertThat(left).doesNotExist();
        assertThat(onItsWay).exists();
    }
}
