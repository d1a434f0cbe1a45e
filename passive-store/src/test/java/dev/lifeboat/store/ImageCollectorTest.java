// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageCollectorTest {
    private static final int CHUNK = 4096;
    private static final int PAGES = 8;
    private static final long HOUR_MS = 3_600_000;

    @TempDir
    Path folder;

    private ObjectStore objects;
    private BaseImages images;
    private Path named;
    private Path unnamed;
    private final AtomicInteger fetches = new AtomicInteger();

    /** Two images of yesterday; VM "web" has a disk that starts as the first one, and nobody has the second. */
    @BeforeEach
    void twoOldImages() throws IOException {
        objects = ObjectStores.open("dir:" + folder.resolve("store"), Optional.empty(), Optional.empty());
        images = new BaseImages(objects, CHUNK);
        named = image("named", 1);
        unnamed = image("unnamed", 2);
        images.publish(BaseImages.idOf(named), named);
        images.publish(BaseImages.idOf(unnamed), unnamed);
        commitAnEpoch("web", BaseImages.idOf(named));
        makeOld();
    }

    private Path image(String name, int seed) throws IOException {
        byte[] content = new byte[3 * CHUNK];
        new Random(seed).nextBytes(content);
        return Files.write(folder.resolve(name), content);
    }

    private void commitAnEpoch(String vmId, String image) {
        DefaultVmStore vm = new DefaultVmStore(objects, vmId, StoreSettings.DEFAULT);
        OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, vmId, 1, "host-a", "nonce", 1);
        VmShape shape = new VmShape(PAGES, List.of(new VmShape.DiskShape(3, Optional.of(image))));
        ModelVm model = new ModelVm(PAGES);
        try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(owner, shape)) {
            model.write(new Random(3), 5);
            model.append(writer);
            model.commit(writer);
        }
    }

    private void makeOld() throws IOException {
        FileTime yesterday = FileTime.fromMillis(System.currentTimeMillis() - 24 * HOUR_MS);
        try (Stream<Path> files = Files.walk(folder.resolve("store/base"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.setLastModifiedTime(file, yesterday);
            }
        }
    }

    private ImageCollector.Result collect(ObjectStore through, boolean dryRun) {
        return new ImageCollector(through, HOUR_MS).collect(dryRun);
    }

    private boolean isThere(Path image) {
        Path into = folder.resolve("fetched-" + fetches.incrementAndGet());
        try {
            images.fetch(BaseImages.idOf(image), into);
            assertThat(into).hasSameBinaryContentAs(image);
            return true;
        } catch (StoreException e) {
            assertThat(e).hasMessageContaining("holds no base image");
            return false;
        }
    }

    private List<String> keys() {
        return objects.list("", 10_000);
    }

    @Test
    void anImageThatNoEpochNamesGoesAndTheOtherStays() {
        ImageCollector.Result result = collect(objects, false);
        assertThat(result.copies()).singleElement().asString().contains(BaseImages.idOf(unnamed));
        assertThat(result.bytes()).isGreaterThan(3 * CHUNK);
        assertThat(result.notes()).isEmpty();
        assertThat(isThere(named)).isTrue();
        assertThat(objects.list("base/" + BaseImages.idOf(unnamed), 10)).isEmpty();
        assertThat(objects.list("base/" + BaseImages.idOf(named), 10))
                .as("three chunks and the manifest, without the old mark of use")
                .hasSize(4);
        assertThat(collect(objects, false)).isEqualTo(new ImageCollector.Result(List.of(), 0, List.of()));
    }

    @Test
    void aDryRunSaysTheSameAndChangesNothing() {
        List<String> before = keys();
        ImageCollector.Result dry = collect(objects, true);
        assertThat(keys()).isEqualTo(before);
        assertThat(collect(objects, false)).isEqualTo(dry);
    }

    @Test
    void anImageThatAVmHasJustStartedWithStaysForAWhile() throws IOException {
        assertThat(images.publish(BaseImages.idOf(unnamed), unnamed)).isFalse();
        ImageCollector.Result result = collect(objects, false);
        assertThat(result.copies()).isEmpty();
        assertThat(result.notes()).singleElement().asString().contains("a VM may just be starting");
        assertThat(isThere(unnamed)).isTrue();
        makeOld();
        assertThat(collect(objects, false).copies()).hasSize(1);
    }

    @Test
    void ofTwoCopiesOfAnImageOneGoes() throws IOException {
        String id = BaseImages.idOf(named);
        ImageCopy first = ImageCopy.list(objects, id).get(0);
        objects.put(first.goingKey(), ImageCopy.mark());
        assertThat(images.publish(id, named)).isTrue();
        objects.delete(first.goingKey());
        makeOld();
        assertThat(collect(objects, false).copies()).hasSize(2);
        assertThat(ImageCopy.list(objects, id)).hasSize(1);
        assertThat(isThere(named)).isTrue();
    }

    @Test
    void anUploadThatWasCutOffGoesOneThatIsUnderWayDoesNot() throws IOException {
        Path third = image("third", 4);
        String id = BaseImages.idOf(third);
        images.publish(id, third);
        objects.delete(ImageCopy.list(objects, id).get(0).manifestKey());
        assertThat(collect(objects, false).copies()).noneMatch(copy -> copy.contains(id));
        makeOld();
        assertThat(collect(objects, false).copies()).anyMatch(copy -> copy.contains(id));
        assertThat(objects.list("base/" + id, 10)).isEmpty();
    }

    @Test
    void theLastCopyOfANamedImageStaysThoughSomebodyDiedDeletingIt() {
        ImageCopy copy = ImageCopy.list(objects, BaseImages.idOf(named)).get(0);
        objects.put(copy.goingKey(), ImageCopy.mark());
        collect(objects, false);
        assertThat(isThere(named)).isTrue();
        assertThat(objects.get(copy.goingKey())).isEmpty();
    }

    @Test
    void anEpochThatCannotBeReadKeepsEveryImage() {
        objects.put(new Keys("other").epoch(7), ByteBuffer.wrap(new byte[50]));
        ImageCollector.Result result = collect(objects, false);
        assertThat(result.copies()).isEmpty();
        assertThat(result.notes()).singleElement().asString().contains("epoch 7 of VM other");
        assertThat(isThere(unnamed)).isTrue();
    }

    @Test
    void whatIsNoImageIsNotTouched() throws IOException {
        objects.put("base/notes/of-somebody", ByteBuffer.wrap(new byte[] {1}));
        makeOld();
        collect(objects, false);
        assertThat(keys()).contains("base/notes/of-somebody");
    }

    /** A VM starts with the image just before the k-th operation of the collector, for every k. */
    @Test
    void aVmThatStartsAtAnyPointOfACollectionHasItsImage() throws IOException {
        Map<String, byte[]> before = contents();
        String id = BaseImages.idOf(unnamed);
        boolean began = true;
        int points = 0;
        int sentAgain = 0;
        for (int k = 1; began; k++) {
            putBack(before);
            AtomicInteger sent = new AtomicInteger();
            AtomicInteger starts = new AtomicInteger();
            collect(
                    MortalStore.interrupted(objects, k, () -> {
                        starts.incrementAndGet();
                        sent.addAndGet(images.publish(id, unnamed) ? 1 : 0);
                    }),
                    false);
            began = starts.get() > 0;
            if (began) {
                assertThat(isThere(unnamed)).as("a start before operation " + k).isTrue();
                assertThat(isThere(named)).isTrue();
                commitAnEpoch("new", id);
                makeOld();
                collect(objects, false);
                assertThat(isThere(unnamed)).isTrue();
                points++;
                sentAgain += sent.get();
            }
        }
        assertThat(sentAgain).as("starts that came too late for the old copy").isBetween(1, points - 1);
    }

    /** Dies at its k-th operation on the store, for every k, before or after it took effect. */
    @Test
    void aCrashAtAnyPointLosesNothingAndTheNextRunFinishes() throws IOException {
        Map<String, byte[]> before = contents();
        boolean died = true;
        int operations = 0;
        for (int k = 1; died; k++) {
            for (boolean takesEffect : new boolean[] {false, true}) {
                putBack(before);
                try {
                    collect(MortalStore.of(objects, k, takesEffect), false);
                    died = false;
                } catch (StoreException e) {
                    assertThat(e).hasMessage("dead");
                }
                assertThat(isThere(named)).isTrue();
                // Somebody who starts now can, whatever is left of it.
                images.publish(BaseImages.idOf(unnamed), unnamed);
                assertThat(isThere(unnamed)).isTrue();
                makeOld();
                collect(objects, false);
                assertThat(isThere(named)).isTrue();
                assertThat(objects.list("base/" + BaseImages.idOf(unnamed), 10)).isEmpty();
            }
            operations = k;
        }
        assertThat(operations).as("to look, to mark, to look again, to delete").isGreaterThan(10);
    }

    private Map<String, byte[]> contents() {
        Map<String, byte[]> contents = new HashMap<>();
        keys().forEach(key -> contents.put(key, objects.get(key).orElseThrow().array()));
        return contents;
    }

    private void putBack(Map<String, byte[]> contents) {
        keys().forEach(objects::delete);
        contents.forEach((key, content) -> objects.put(key, ByteBuffer.wrap(content)));
        try {
            makeOld();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
