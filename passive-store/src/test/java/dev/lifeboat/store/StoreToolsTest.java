// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.StoreVerifier.Damage;
import dev.lifeboat.store.StoreVerifier.Report;
import dev.lifeboat.store.VmShape.DiskShape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What tools say of a store, over a VM of three epochs, clear and encrypted. */
class StoreToolsTest {
    private static final int PAGES = 96;

    @TempDir
    Path directory;

    private ObjectStore objects;
    private KeyWrapper key;
    /** Memory of epochs 1, 2, 3. */
    private final List<byte[]> memories = new ArrayList<>();

    @BeforeEach
    void open() throws IOException {
        objects = ObjectStores.open("dir:" + directory.resolve("store"), Optional.empty(), Optional.empty());
        key = KeyWrapper.open(KeyWrapperTest.keyFile(directory.resolve("key"), VmKey.random()));
    }

    private DefaultVmStore vm(String vmId, Optional<KeyWrapper> wrapper) {
        return new DefaultVmStore(objects, vmId, VmStoreSuite.SMALL, wrapper);
    }

    private void threeEpochs(String vmId, Optional<KeyWrapper> wrapper) {
        DefaultVmStore vm = vm(vmId, wrapper);
        OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, vmId, 1, "host-a", "nonce", 1);
        assertThat(vm.owners().claim(owner)).isEqualTo(owner);
        ModelVm model = new ModelVm(PAGES);
        Random random = new Random(21);
        memories.clear();
        try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(owner, VmShape.ofMemory(PAGES))) {
            for (int epoch = 1; epoch <= 3; epoch++) {
                model.write(random, epoch == 1 ? 150 : 12);
                model.append(writer);
                // The third refers to a checkpoint of the second, which has two segments.
                assertThat(model.commit(writer).checkpoint().isPresent()).isEqualTo(epoch == 3);
                memories.add(model.memory.clone());
                writer.awaitBackground();
            }
        }
    }

    private Report verify(String vmId, Optional<KeyWrapper> wrapper) {
        return new StoreVerifier(objects, wrapper, (done, of) -> {}).verify(vmId);
    }

    @Test
    void anOverviewNamesEachVmItsNewestEpochItsOwnerAndForeignObjects() {
        threeEpochs("clear", Optional.empty());
        threeEpochs("secret", Optional.of(key));
        objects.put("vm/NOT-OURS/x", ByteBuffer.wrap(new byte[] {1}));
        StoreInspector.Overview overview = new StoreInspector(objects).overview();
        assertThat(overview.foreign()).containsExactly("vm/NOT-OURS/x");
        assertThat(overview.vms()).extracting(StoreInspector.VmLine::vmId).containsExactly("clear", "secret");
        for (StoreInspector.VmLine line : overview.vms()) {
            assertThat(line.newestWhole()).contains(3L);
            assertThat(line.epochs()).isEqualTo(3);
            assertThat(line.encrypted()).isEqualTo(line.vmId().equals("secret"));
            assertThat(line.owner().orElseThrow().host()).isEqualTo("host-a");
            assertThat(line.problem()).isEmpty();
            assertThat(line.storedBytes()).isPositive();
        }
    }

    @Test
    void aVmIsShownWithItsEpochsAndTheShareOfItsSegmentsThatLives() {
        threeEpochs("clear", Optional.empty());
        try (EpochReader reader = vm("clear", Optional.empty())
                .open(vm("clear", Optional.empty()).newestWhole().orElseThrow())) {
            reader.read(VmShape.MEMORY, 1, 1, (first, count, content) -> {});
            reader.recordWorkingSet();
        }
        StoreInspector.Vm vm = new StoreInspector(objects).vm("clear", Optional.empty());
        assertThat(vm.unknown()).as("what we write ourselves is known").isEmpty();
        assertThat(vm.memoryBytes()).isEqualTo(PAGES * 4096L);
        assertThat(vm.epochs()).extracting(StoreInspector.Epoch::epoch).containsExactly(3L, 2L, 1L);
        assertThat(vm.epochs().get(0).newBytes()).isLessThan(vm.epochs().get(2).newBytes());
        assertThat(vm.checkpoints()).isEqualTo(1);
        assertThat(vm.epochs().get(0).checkpoint().orElseThrow()).startsWith("vm/clear/checkpoint/");
        assertThat(vm.epochs().get(1).checkpoint()).isEmpty();
        assertThat(vm.epochs().get(0).manifestBytes()).isPositive();
        assertThat(vm.liveShare().orElseThrow()).isGreaterThan(0.5).isLessThan(1);
        assertThat(vm.segments())
                .allSatisfy(segment -> assertThat(segment.epochs()).isPositive());
        threeEpochs("secret", Optional.of(key));
        assertThat(new StoreInspector(objects).vm("secret", Optional.empty()).liveShare())
                .isEmpty();
        assertThat(new StoreInspector(objects).vm("secret", Optional.of(key)).liveShare())
                .isPresent();
        assertThatThrownBy(() -> new StoreInspector(objects).vm("nobody", Optional.empty()))
                .isInstanceOf(NotInStoreException.class)
                .hasMessageContaining("nothing of VM nobody");
        assertThatThrownBy(() -> new StoreInspector(objects).vm("No Body", Optional.empty()))
                .hasMessageContaining("is no VM id");
    }

    @Test
    void aMissingSegmentMakesItsEpochsNotWholeInEveryView() {
        threeEpochs("clear", Optional.empty());
        EpochManifest newest = vm("clear", Optional.empty()).newestWhole().orElseThrow();
        String lost = newest.segments().get(newest.segments().size() - 1).key();
        objects.delete(lost);
        StoreInspector.VmLine line =
                new StoreInspector(objects).overview().vms().get(0);
        assertThat(line.newestWhole()).contains(2L);
        assertThat(line.problem().orElseThrow()).contains(lost).contains("missing");
        Report report = verify("clear", Optional.empty());
        assertThat(report.restorable()).contains(2L);
        assertThat(report.damages()).singleElement().satisfies(damage -> {
            assertThat(damage.object()).isEqualTo(lost);
            assertThat(damage.costs()).containsExactly(new StoreVerifier.Cost(3, true, List.of()));
        });
    }

    @Test
    void aMissingCheckpointIsNamedWithTheEpochsItCosts() {
        threeEpochs("clear", Optional.empty());
        String lost = objects.list("vm/clear/checkpoint/", 10).get(0);
        objects.delete(lost);
        StoreInspector.VmLine line =
                new StoreInspector(objects).overview().vms().get(0);
        assertThat(line.newestWhole()).contains(2L);
        assertThat(line.problem().orElseThrow()).contains(lost).contains("missing");
        assertThat(verify("clear", Optional.empty()).damages()).singleElement().satisfies(damage -> {
            assertThat(damage.object()).isEqualTo(lost);
            assertThat(damage.costs()).containsExactly(new StoreVerifier.Cost(3, true, List.of()));
        });
        assertThat(vm("clear", Optional.empty()).newestWhole().orElseThrow().epoch())
                .isEqualTo(2);
        assertThatThrownBy(() -> new EpochExport(objects, Optional.empty())
                        .export("clear", Optional.of(3L), Optional.of(directory.resolve("x")), List.of()))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining(lost);
    }

    /** The heart of it: what verify says an epoch loses is what a restore of that epoch refuses. */
    @Test
    void everyFlippedBitIsFoundAndCostsExactlyTheEpochsThatDoNotRestore() {
        threeEpochs("clear", Optional.empty());
        flipEverywhere("clear", Optional.empty(), 240);
    }

    @Test
    void everyFlippedBitOfAnEncryptedVmIsFoundWithAndWithoutItsKey() {
        threeEpochs("secret", Optional.of(key));
        flipEverywhere("secret", Optional.of(key), 120);
    }

    private void flipEverywhere(String vmId, Optional<KeyWrapper> wrapper, int flips) {
        assertThat(verify(vmId, wrapper).damages()).isEmpty();
        assertThat(verify(vmId, wrapper).restorable()).contains(3L);
        List<String> keys = objects.list("vm/" + vmId + "/", 1000);
        Random random = new Random(22);
        int withCosts = 0;
        for (int i = 0; i < flips; i++) {
            String name = keys.get(i % keys.size());
            byte[] good = objects.get(name).orElseThrow().array();
            byte[] bad = good.clone();
            // Headers, indexes and trailers are small: look at the ends more often.
            int at = i % 3 == 0 ? random.nextInt(Math.min(40, bad.length)) : random.nextInt(bad.length);
            at = i % 3 == 1 ? bad.length - 1 - random.nextInt(Math.min(200, bad.length)) : at;
            int bit = random.nextInt(8);
            bad[at] ^= (byte) (1 << bit);
            String where = name + " byte " + at + " of " + bad.length + " bit " + bit;
            objects.put(name, ByteBuffer.wrap(bad));
            boolean unheeded = isNumberOfKey(name, at, wrapper);
            List<Damage> damages = verify(vmId, wrapper).damages();
            if (!unheeded) {
                assertThat(damages).as(where).hasSize(1);
                assertThat(damages.get(0).object()).as(where).isEqualTo(name);
            }
            if (wrapper.isPresent() && !unheeded) {
                assertThat(verify(vmId, Optional.empty()).damages())
                        .as(where + ", without the key")
                        .extracting(Damage::object)
                        .containsExactly(name);
            }
            for (long epoch = 1; epoch <= 3; epoch++) {
                long number = epoch;
                boolean costs = damages.stream()
                        .flatMap(damage -> damage.costs().stream())
                        .anyMatch(cost -> cost.epoch() == number);
                withCosts += costs ? 1 : 0;
                assertThat(restores(vm(vmId, wrapper), epoch))
                        .as(where + ", epoch " + epoch)
                        .isEqualTo(!costs);
            }
            objects.put(name, ByteBuffer.wrap(good));
        }
        assertThat(withCosts).isGreaterThan(flips / 2);
        assertThat(verify(vmId, wrapper).damages()).isEmpty();
    }

    /** The key's number in a sealed segment is for people; the manifest says which key it is. */
    private static boolean isNumberOfKey(String name, int at, Optional<KeyWrapper> wrapper) {
        return wrapper.isPresent() && name.contains("/seg/") && at >= 12 && at < SealedLayout.HEADER_BYTES;
    }

    private boolean restores(DefaultVmStore vm, long epoch) {
        try {
            Optional<EpochManifest> manifest = vm.epoch(epoch);
            assertThat(ModelVm.restore(vm, manifest.orElseThrow())).isEqualTo(memories.get((int) epoch - 1));
            return true;
        } catch (StoreException e) {
            return false;
        }
    }

    @Test
    void lostPagesAreThoseOfTheDamagedRun() {
        threeEpochs("clear", Optional.empty());
        DefaultVmStore vm = vm("clear", Optional.empty());
        EpochManifest first = vm.epoch(1).orElseThrow();
        SegmentIndex index =
                SegmentIndex.read(vm.segmentObjects(), first.segments().get(0), first.shape());
        int run = 0;
        while (index.payloadBytes(run) == 0) {
            run++;
        }
        byte[] bytes = objects.get(index.ref().key()).orElseThrow().array();
        bytes[index.payloadOffset(run)] ^= 1;
        objects.put(index.ref().key(), ByteBuffer.wrap(bytes));
        StoreVerifier.Cost cost = verify("clear", Optional.empty()).damages().get(0).costs().stream()
                .filter(of -> of.epoch() == 1)
                .findFirst()
                .orElseThrow();
        assertThat(cost.all()).isFalse();
        assertThat(cost.lost())
                .containsExactly(new StoreVerifier.Lost("memory", index.firstPage(run), index.pageCount(run)));
    }

    @Test
    void aStoreOfANewerFormatIsRefusedInWords() {
        threeEpochs("clear", Optional.empty());
        EpochManifest newer = new EpochManifest(
                99, "clear", 9, 1, "n", 0, 0, PAGES, List.of(), List.of(), Optional.empty(), "{}", new byte[0], 1);
        objects.put(new Keys("clear").epoch(9), Records.bytes(newer, Optional.empty(), "", Optional.empty()));
        assertThatThrownBy(() -> verify("clear", Optional.empty())).hasMessageContaining("format version 99");
        assertThatThrownBy(() -> new StoreInspector(objects).vm("clear", Optional.empty()))
                .hasMessageContaining("format version 99");
        assertThat(new StoreInspector(objects).overview().vms().get(0).problem().orElseThrow())
                .contains("format version 99");
        assertThatThrownBy(() -> new GarbageCollector(objects, Optional.empty(), RetentionPolicy.DEFAULT, 0)
                        .collect("clear", false))
                .hasMessageContaining("format version 99");
    }

    @Test
    void anyEpochIsExportedBitForBitAndNoFileIsWrittenOver() throws IOException {
        threeEpochs("clear", Optional.empty());
        threeEpochs("secret", Optional.of(key));
        for (String vmId : List.of("clear", "secret")) {
            EpochExport export = new EpochExport(objects, vmId.equals("clear") ? Optional.empty() : Optional.of(key));
            for (long epoch = 1; epoch <= 3; epoch++) {
                Path file = directory.resolve(vmId + epoch);
                EpochExport.Result result = export.export(vmId, Optional.of(epoch), Optional.of(file), List.of());
                assertThat(result.images().get(0).lengthBytes()).isEqualTo(PAGES * 4096L);
                assertThat(Files.readAllBytes(file)).isEqualTo(memories.get((int) epoch - 1));
            }
            Path newest = directory.resolve(vmId + "-newest");
            assertThat(export.export(vmId, Optional.empty(), Optional.of(newest), List.of())
                            .epoch())
                    .isEqualTo(3);
            assertThatThrownBy(() -> export.export(vmId, Optional.of(1L), Optional.of(newest), List.of()))
                    .hasMessageContaining(newest + " is there already");
            assertThat(Files.readAllBytes(newest)).isEqualTo(memories.get(2));
            assertThatThrownBy(() -> export.export(vmId, Optional.of(7L), Optional.of(newest), List.of()))
                    .isInstanceOf(NotInStoreException.class)
                    .hasMessageContaining("no epoch 7")
                    .hasMessageContaining("from 1 to 3");
        }
        assertThatThrownBy(() -> new EpochExport(objects, Optional.empty())
                        .export("clear", Optional.empty(), Optional.empty(), List.of(directory.resolve("d"))))
                .hasMessageContaining("has 0 disks");
        assertThatThrownBy(() -> new EpochExport(objects, Optional.empty())
                        .export("secret", Optional.empty(), Optional.of(directory.resolve("e")), List.of()))
                .isInstanceOf(WrongKeyException.class);
    }

    @Test
    void aStoreThatIsOnlyLookedAtIsNotChangedAndACopyWithoutItsTemporaryDirectoryWorks() throws IOException {
        threeEpochs("clear", Optional.empty());
        Path temporary = directory.resolve("store/.tmp");
        Files.delete(temporary);
        try (ObjectStore existing =
                ObjectStores.openExisting("dir:" + directory.resolve("store"), Optional.empty(), Optional.empty())) {
            new StoreInspector(existing).overview();
            assertThat(temporary).doesNotExist();
            existing.put("x", ByteBuffer.wrap(new byte[1]));
            assertThat(existing.get("x")).isPresent();
        }
        Path typo = directory.resolve("typo");
        assertThatThrownBy(() -> ObjectStores.openExisting("dir:" + typo, Optional.empty(), Optional.empty()))
                .hasMessageContaining("no such directory");
        assertThat(typo).doesNotExist();
    }

    @Test
    void anExportThatFailsLeavesNoFile() {
        threeEpochs("clear", Optional.empty());
        EpochManifest first = vm("clear", Optional.empty()).epoch(1).orElseThrow();
        objects.delete(first.segments().get(0).key());
        Path file = directory.resolve("partial");
        assertThatThrownBy(() -> new EpochExport(objects, Optional.empty())
                        .export("clear", Optional.of(1L), Optional.of(file), List.of()))
                .isInstanceOf(DamagedObjectException.class);
        assertThat(file).doesNotExist();
    }

    @Test
    void disksAreExportedWithTheirBaseImages() throws IOException {
        byte[] base = new byte[8 * 4096];
        new Random(23).nextBytes(base);
        Path image = Files.write(directory.resolve("image"), base);
        String id = BaseImages.idOf(image);
        new BaseImages(objects).publish(id, image);
        VmShape shape = new VmShape(4, List.of(new DiskShape(8, Optional.of(id)), new DiskShape(4, Optional.empty())));
        DefaultVmStore vm = vm("disks", Optional.empty());
        OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, "disks", 1, "host-a", "nonce", 1);
        ByteBuffer page = ByteBuffer.allocateDirect(4096);
        page.put(0, (byte) 5);
        try (EpochWriter writer = vm.writer(owner, shape)) {
            writer.append(1, 2, 1, RunCodec.PLAIN, page.duplicate(), RunCodec.crc32c(page));
            writer.append(1, 3, 1, RunCodec.ZERO, ByteBuffer.allocateDirect(0), 0);
            writer.append(2, 1, 1, RunCodec.PLAIN, page.duplicate(), RunCodec.crc32c(page));
            writer.commit("{}", new byte[0], 1);
        }
        Path one = directory.resolve("one");
        Path two = directory.resolve("two");
        new EpochExport(objects, Optional.empty())
                .export("disks", Optional.of(1L), Optional.empty(), List.of(one, two));
        byte[] expected = base.clone();
        Arrays.fill(expected, 2 * 4096, 4 * 4096, (byte) 0);
        expected[2 * 4096] = 5;
        assertThat(Files.readAllBytes(one)).isEqualTo(expected);
        byte[] second = new byte[4 * 4096];
        second[4096] = 5;
        assertThat(Files.readAllBytes(two)).isEqualTo(second);
        assertThat(verify("disks", Optional.empty()).damages()).isEmpty();
    }
}
