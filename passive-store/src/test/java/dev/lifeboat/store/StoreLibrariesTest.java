// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoreLibrariesTest {
    @TempDir
    Path folder;

    /** Only the jar of the test names it. */
    public static final class Somewhere implements ObjectStoreProvider {
        @Override
        public String scheme() {
            return "somewhere";
        }

        @Override
        public ObjectStore open(String url, Optional<String> endpoint, Optional<String> region) {
            throw new StoreException("opened " + url);
        }
    }

    @Test
    void aProviderIsFoundInAFolderOfJars() throws IOException {
        try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(folder.resolve("somewhere.jar")))) {
            jar.putNextEntry(new JarEntry("META-INF/services/" + ObjectStoreProvider.class.getName()));
            jar.write(Somewhere.class.getName().getBytes(StandardCharsets.UTF_8));
        }
        String folders = folder.resolve("not-there") + File.pathSeparator + folder;
        assertThat(StoreLibraries.find("somewhere", folders)).containsInstanceOf(Somewhere.class);
        assertThat(StoreLibraries.find("elsewhere", folders)).isEmpty();
        assertThat(StoreLibraries.find("somewhere", "")).isEmpty();
    }

    @Test
    void aCloudWhoseLibraryIsNotHereIsSaidSo() {
        assertThatThrownBy(() -> ObjectStores.open("gs://bucket/prefix", Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("needs the library google-storage")
                .hasMessageContaining(StoreLibraries.FOLDERS);
    }
}
