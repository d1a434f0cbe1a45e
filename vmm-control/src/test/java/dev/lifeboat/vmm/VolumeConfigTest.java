// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VolumeConfigTest {
    private static VmmConfig.Store store(String url) {
        return store(url, "/mnt/v");
    }

    private static VmmConfig.Store store(String url, String mountPoint) {
        return new VmmConfig.Store(
                url,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(new VmmConfig.Volume("vol-1", null, mountPoint, null, false)));
    }

    private static VmmConfig.Owners owners(String registry) {
        return new VmmConfig.Owners(Optional.ofNullable(registry), VmmConfig.Ownership.STRICT, 0);
    }

    @Test
    void aStoreWithAVolumeIsReadFromJson() throws IOException {
        VmmConfig.Store read = Json.MAPPER.readValue(
                "{\"url\":\"dir:/mnt/v/store\",\"volume\":{\"id\":\"vol-1\",\"mountPoint\":\"/mnt/v\",\"format\":false}}",
                VmmConfig.Store.class);
        assertThat(read).isEqualTo(store("dir:/mnt/v/store"));
        assertThat(read.volume().orElseThrow().serial()).isEqualTo("vol-1");
        assertThat(Json.MAPPER.readValue(Json.MAPPER.writeValueAsBytes(read), VmmConfig.Store.class))
                .isEqualTo(read);
    }

    @Test
    void theStoreMustBeOnItsVolume() {
        for (String url : new String[] {"dir:/mnt/vv", "dir:/mnt/v/../w", "s3://bucket/x"}) {
            assertThatThrownBy(() -> store(url))
                    .hasMessageContaining(url)
                    .hasMessageContaining("is not on volume vol-1")
                    .hasMessageContaining("dir:/mnt/v/");
        }
    }

    @Test
    void theOwnerRecordsMustNotBeOnTheVolume() {
        assertThatThrownBy(() -> store("dir:/mnt/v/store").requireOwnersElsewhere(owners(null)))
                .hasMessageContaining("only one host at a time reaches volume vol-1")
                .hasMessageContaining("--registry");
        assertThatThrownBy(() -> store("dir:/mnt/v/store").requireOwnersElsewhere(owners("dir:/mnt/v/owners")))
                .hasMessageContaining("the registry dir:/mnt/v/owners is on the volume");
        assertThatCode(() -> store("dir:/mnt/v/store").requireOwnersElsewhere(owners("etcd://e:2379/x")))
                .doesNotThrowAnyException();
    }

    @Test
    void aVolumeNeedsANameAndAMountPoint() {
        assertThatThrownBy(() -> new VmmConfig.Volume("vol 1", null, "/mnt/v", null, false))
                .hasMessageContaining("\"id\"");
        assertThatThrownBy(() -> new VmmConfig.Volume("vol-1", null, "mnt", null, false))
                .hasMessageContaining("\"mountPoint\"");
        assertThatThrownBy(() -> new VmmConfig.Volume("vol-1", null, "/", null, false))
                .hasMessageContaining("\"mountPoint\"");
    }

    @Test
    void aDirectoryIsTheVolumeOnlyWhenItsLabelSaysSo(@TempDir Path mountPoint) throws IOException {
        VmmConfig.Volume volume =
                store("dir:" + mountPoint, mountPoint.toString()).volume().orElseThrow();
        assertThatThrownBy(() -> VolumeLabel.require(volume))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("nothing is written to it")
                .hasMessageContaining("is the volume mounted?");
        assertThat(mountPoint).isEmptyDirectory();
        VolumeLabel.write(volume);
        VolumeLabel.require(volume);
        VmmConfig.Volume other = new VmmConfig.Volume("vol-2", null, mountPoint.toString(), null, false);
        assertThatThrownBy(() -> VolumeLabel.require(other))
                .hasMessageContaining("is not volume vol-2")
                .hasMessageContaining("it says vol-1");
        Files.writeString(mountPoint.resolve(VolumeLabel.FILE), "{");
        assertThatThrownBy(() -> VolumeLabel.require(volume)).hasMessageContaining("cannot be read");
    }
}
