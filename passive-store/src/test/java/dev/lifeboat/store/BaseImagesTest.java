// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BaseImagesTest {
    private static final int CHUNK = 4096;

    @TempDir
    Path folder;

    private ObjectStore objects;
    private BaseImages images;
    private Path image;
    private Path copy;

    @BeforeEach
    void open() throws IOException {
        objects = ObjectStores.open("dir:" + folder.resolve("store"), Optional.empty(), Optional.empty());
        images = new BaseImages(objects, CHUNK);
        image = folder.resolve("image");
        copy = folder.resolve("copy");
        // Data, a chunk of zeroes, data, and zeroes that reach into the last, broken chunk.
        byte[] content = new byte[5 * CHUNK + 100];
        new Random(5).nextBytes(content);
        Arrays.fill(content, CHUNK, 2 * CHUNK, (byte) 0);
        Arrays.fill(content, 3 * CHUNK, content.length, (byte) 0);
        Files.write(image, content);
    }

    @Test
    void anImageIsSentOnceAndFetchedBitForBit() throws IOException {
        String id = BaseImages.idOf(image);
        assertThat(images.publish(id, image)).isTrue();
        // Two chunks that are not zero, the manifest, and a mark of use; a second user leaves a mark, too.
        assertThat(objects.list("base/", 100)).hasSize(4);
        assertThat(images.publish(id, image)).isFalse();
        assertThat(objects.list("base/", 100)).hasSize(5);
        images.fetch(id, copy);
        assertThat(Files.readAllBytes(copy)).isEqualTo(Files.readAllBytes(image));
    }

    @Test
    void anImageOfManyChunksIsPutTogetherInTheirOrder() throws IOException {
        byte[] content = new byte[50 * CHUNK + 7];
        new Random(6).nextBytes(content);
        for (int n = 0; n < 50; n += 7) {
            Arrays.fill(content, n * CHUNK, (n + 1) * CHUNK, (byte) 0);
        }
        Files.write(image, content);
        String id = BaseImages.idOf(image);
        images.publish(id, image);
        images.fetch(id, copy);
        assertThat(Files.readAllBytes(copy)).isEqualTo(content);
    }

    @Test
    void aPublishThatWasCutOffIsNoneAndTheNextOneIsWhole() throws IOException {
        String id = BaseImages.idOf(image);
        images.publish(id, image);
        ImageCopy cutOff = ImageCopy.list(objects, id).get(0);
        objects.delete(cutOff.manifestKey());
        objects.delete(cutOff.chunkKey(2));
        assertThatThrownBy(() -> images.fetch(id, copy)).hasMessageContaining("holds no base image " + id);
        assertThat(images.publish(id, image)).isTrue();
        images.fetch(id, copy);
        assertThat(Files.readAllBytes(copy)).isEqualTo(Files.readAllBytes(image));
    }

    @Test
    void aBitFlipInAnyObjectIsNamedAndLeavesNoFile() {
        String id = BaseImages.idOf(image);
        images.publish(id, image);
        List<String> keys = objects.list("base/", 100).stream()
                .filter(key -> !key.contains("/use-"))
                .toList();
        assertThat(keys).hasSize(3);
        for (String key : keys) {
            ByteBuffer good = objects.get(key).orElseThrow();
            byte[] bad = new byte[good.remaining()];
            good.duplicate().get(bad);
            bad[bad.length / 2] ^= 4;
            objects.put(key, ByteBuffer.wrap(bad));
            assertThatThrownBy(() -> images.fetch(id, copy))
                    .isInstanceOf(DamagedObjectException.class)
                    .hasMessageContaining(key);
            assertThat(copy).doesNotExist();
            objects.put(key, good);
        }
        images.fetch(id, copy);
    }

    @Test
    void anImageFromBeforeCopiesHadNamesIsReadAndReliedOn() throws IOException {
        String id = BaseImages.idOf(image);
        images.publish(id, image);
        ImageCopy copyOfNow = ImageCopy.list(objects, id).get(0);
        for (String key : objects.list("base/", 100)) {
            objects.put(
                    key.replace(copyOfNow.prefix(), "base/" + id + "/"),
                    objects.get(key).orElseThrow());
            objects.delete(key);
        }
        images.fetch(id, copy);
        assertThat(Files.readAllBytes(copy)).isEqualTo(Files.readAllBytes(image));
        assertThat(images.publish(id, image)).isFalse();
    }

    @Test
    void aDamagedCopyIsPassedOverWhenThereIsAnother() throws IOException {
        String id = BaseImages.idOf(image);
        images.publish(id, image);
        ImageCopy damaged = ImageCopy.list(objects, id).get(0);
        objects.put(damaged.goingKey(), ImageCopy.mark());
        assertThat(images.publish(id, image))
                .as("none that is going is relied on")
                .isTrue();
        objects.delete(damaged.goingKey());
        objects.delete(damaged.chunkKey(0));
        images.fetch(id, copy);
        assertThat(Files.readAllBytes(copy)).isEqualTo(Files.readAllBytes(image));
    }

    @Test
    void anImageThatIsNotWhatItsNameSaysIsRefused() throws IOException {
        String id = BaseImages.idOf(image);
        Path other = folder.resolve("other");
        Files.write(other, new byte[] {1, 2, 3});
        images.publish(id, other);
        assertThatThrownBy(() -> images.fetch(id, copy))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining("other content");
        assertThat(copy).doesNotExist();
    }

    @Test
    void anImageOfANewerFormatAndANameThatIsNoneAreRefusedInClearWords() {
        String id = BaseImages.idOf(image);
        images.publish(id, image);
        String key = ImageCopy.list(objects, id).get(0).manifestKey();
        ByteBuffer newer = objects.get(key).orElseThrow().order(ByteOrder.LITTLE_ENDIAN);
        newer.putInt(8, BaseImages.VERSION + 1);
        CRC32C crc = new CRC32C();
        crc.update(newer.duplicate().limit(newer.limit() - 4));
        newer.putInt(newer.limit() - 4, (int) crc.getValue());
        objects.put(key, newer);
        assertThatThrownBy(() -> images.fetch(id, copy)).hasMessageContaining("format version 2");
        assertThatThrownBy(() -> images.fetch("../x", copy)).hasMessageContaining("names no base image");
    }
}
