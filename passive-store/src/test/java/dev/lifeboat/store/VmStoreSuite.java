// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.VmShape.DiskShape;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a VM's store must do on every back end; one subclass per back end. */
abstract class VmStoreSuite {
    /** Small, so that small epochs have several segments. */
    static final StoreSettings SMALL =
            new StoreSettings(256 * 1024, 256 * 1024, 2, 3, RetentionPolicy.DEFAULT, true, 2, 60_000, 60_000, 30_000);

    static final String VM = "vm-1";
    static final int PAGES = 256;
    ObjectStore objects;
    DefaultVmStore vm;

    private BackEnd backEnd;

    abstract BackEnd backEnd() throws Exception;

    /** Histories of the random test; fewer where a call is slow. */
    abstract int histories();

    DefaultVmStore store(String vmId, StoreSettings settings) {
        return new DefaultVmStore(objects, vmId, settings);
    }

    final DefaultVmStore store(String vmId) {
        return store(vmId, SMALL);
    }

    /** For a term; fewer where a call is slow. */
    int races() {
        return 1_000;
    }

    @BeforeEach
    void openStore() throws Exception {
        backEnd = backEnd();
        objects = backEnd.open();
        vm = store(VM);
    }

    @AfterEach
    void closeStore() throws Exception {
        objects.close();
        backEnd.close();
    }

    @Test
    void anEpochRestoresBitForBit() {
        ModelVm model = new ModelVm(PAGES);
        model.write(new Random(1), 500);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            assertThat(writer.bytesInEpoch()).isPositive();
            EpochManifest first = model.commit(writer);
            assertThat(first.epoch()).isEqualTo(1);
            assertThat(first.parentEpoch()).isZero();
            assertThat(first.segments()).hasSizeGreaterThan(1);
            assertThat(writer.bytesInEpoch()).isZero();
            model.write(new Random(2), 20);
            model.append(writer);
            EpochManifest second = model.commit(writer);
            assertThat(second.parentEpoch()).isEqualTo(1);
        }
        EpochManifest newest = vm.newestWhole().orElseThrow();
        assertThat(newest.epoch()).isEqualTo(2);
        assertThat(newest.state()).containsExactly(1, 2, 3);
        assertThat(ModelVm.restore(vm, newest)).isEqualTo(model.memory);
    }

    @Test
    void deltasAreAppliedToTheFullVersionBeforeThem() {
        ModelVm model = new ModelVm(PAGES).withDeltas(new Random(15));
        Random random = new Random(16);
        model.write(random, 300);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            for (int epoch = 0; epoch < 12; epoch++) {
                for (int word = 0; word < 300; word++) {
                    int at = random.nextInt(model.memory.length);
                    model.memory[at]++;
                    model.dirty.set(at / ModelVm.PAGE);
                }
                model.append(writer);
                EpochManifest manifest = model.commit(writer);
                assertThat(ModelVm.restore(vm, manifest)).isEqualTo(model.memory);
            }
        }
        long deltas = 0;
        EpochManifest newest = vm.newestWhole().orElseThrow();
        for (SegmentRef ref : newest.segments()) {
            SegmentIndex index = SegmentIndex.read(vm.segmentObjects(), ref, newest.shape());
            for (int run = 0; run < index.runs(); run++) {
                deltas += index.encoding(run) == RunCodec.DELTA ? 1 : 0;
            }
        }
        assertThat(deltas).isGreaterThan(10);
        try (EpochReader reader = vm.open(newest)) {
            for (int page = 0; page < PAGES; page++) {
                byte[] read = new byte[ModelVm.PAGE];
                reader.read(VmShape.MEMORY, page, 1, (first, count, content) -> content.get(0, read));
                assertThat(read).isEqualTo(model.page(page));
            }
        }
    }

    @Test
    void aDeltaWithoutAFullVersionIsDamage() {
        ByteBuffer payload = ByteBuffer.allocateDirect(8);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            writer.append(VmShape.MEMORY, 7, 1, RunCodec.DELTA, payload, RunCodec.crc32c(payload));
            EpochManifest manifest = writer.commit("{}", new byte[0], 1);
            assertThatThrownBy(() -> vm.restore(manifest, (first, count, content) -> {}))
                    .isInstanceOf(DamagedObjectException.class)
                    .hasMessageContaining(manifest.segments().get(0).key())
                    .hasMessageContaining("page 7");
        }
    }

    @Test
    void anOpenEpochIsReadToItsEndWhileNewerOnesTakeItsPlace() {
        ModelVm model = new ModelVm(PAGES);
        Random random = new Random(17);
        model.write(random, 400);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            EpochManifest first = model.commit(writer);
            byte[] memory = model.memory.clone();
            byte[] read = new byte[memory.length];
            try (EpochReader reader = vm.open(first)) {
                rewrite(model, writer, random, 8);
                assertThat(vm.epoch(1)).isEmpty();
                reader.fill(
                        VmShape.MEMORY,
                        (page, count, content) ->
                                content.get(0, read, (int) page * ModelVm.PAGE, count * ModelVm.PAGE));
            }
            assertThat(read).isEqualTo(memory);
            assertThat(objects.list("vm/" + VM + "/reader/", 10)).isEmpty();
            rewrite(model, writer, random, 2);
            assertThatThrownBy(() -> vm.open(first))
                    .hasMessageContaining("is gone")
                    .hasMessageContaining("newest");
        }
        // The writer is closed, and so its clean-up is done.
        assertThat(objects.list("vm/" + VM + "/seg/" + "0000000000000000001-", 1))
                .isEmpty();
    }

    private static void rewrite(ModelVm model, EpochWriter writer, Random random, int epochs) {
        for (int epoch = 0; epoch < epochs; epoch++) {
            model.write(random, 10);
            model.dirty.set(0, PAGES);
            model.append(writer);
            model.commit(writer);
        }
    }

    @Test
    void theWorkingSetOfOneReaderIsReadFirstByTheNext() {
        ModelVm model = new ModelVm(PAGES);
        new Random(18).nextBytes(model.memory);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            model.commit(writer);
        }
        EpochManifest newest = vm.newestWhole().orElseThrow();
        assertThat(newest.segments()).hasSizeGreaterThan(3);
        int[] asked = {200, 3, 77, 78, 79, 3};
        try (EpochReader reader = vm.open(newest)) {
            for (int page : asked) {
                reader.read(VmShape.MEMORY, page, 1, (first, count, content) -> {});
            }
            reader.recordWorkingSet();
        }
        StoreSettings inOrder = new StoreSettings(
                256 * 1024, 256 * 1024, 1, 1, RetentionPolicy.DEFAULT, true, 2, 60_000, 60_000, 30_000);
        List<Long> order = new ArrayList<>();
        store(VM, inOrder).restore(newest, (first, count, content) -> {
            for (int i = 0; i < count; i++) {
                order.add(first + i);
            }
        });
        assertThat(order.subList(0, 5)).containsExactlyInAnyOrder(200L, 3L, 77L, 78L, 79L);
        assertThat(order).hasSize(PAGES).doesNotHaveDuplicates();
        objects.put(new Keys(VM).workingSet(), bytes("of another program"));
        assertThat(ModelVm.restore(vm, newest)).isEqualTo(model.memory);
    }

    @Test
    void memoryAndDisksOfOneEpochAreApart() {
        String image = "sha256-" + "0".repeat(64);
        VmShape shape =
                new VmShape(20, List.of(new DiskShape(40, Optional.empty()), new DiskShape(30, Optional.of(image))));
        ModelVm[] spaces = new ModelVm[] {new ModelVm(20), new ModelVm(40), new ModelVm(30)};
        Random random = new Random(14);
        try (EpochWriter writer = vm.writer(claim(1), shape)) {
            for (int epoch = 0; epoch < 4; epoch++) {
                for (int space = 0; space < 3; space++) {
                    spaces[space].write(random, 10);
                    spaces[space].append(writer, space);
                    spaces[space].dirty.clear();
                }
                writer.commit("{}", new byte[0], 1);
            }
            ByteBuffer none = ByteBuffer.allocateDirect(0);
            assertThatThrownBy(() -> writer.append(1, 40, 1, RunCodec.ZERO, none, 0))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> writer.append(3, 0, 1, RunCodec.ZERO, none, 0))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        EpochManifest newest = vm.newestWhole().orElseThrow();
        assertThat(newest.shape()).isEqualTo(shape);
        for (int space = 0; space < 3; space++) {
            assertThat(ModelVm.restore(vm, newest, space)).isEqualTo(spaces[space].memory);
        }
        assertThatThrownBy(() -> vm.restore(newest, 3, (first, count, content) -> {}))
                .hasMessageContaining("has no disk 2");
    }

    @Test
    void zerosOnADiskWithABaseImageAreDeliveredBecauseTheyHideIt() {
        VmShape shape = new VmShape(1, List.of(new DiskShape(64, Optional.of("sha256-" + "1".repeat(64)))));
        ModelVm disk = new ModelVm(64);
        disk.dirty.clear();
        disk.dirty.set(5, 9); // zeros
        disk.memory[7 * ModelVm.PAGE] = 1;
        try (EpochWriter writer = vm.writer(claim(1), shape)) {
            disk.append(writer, 1);
            disk.commit(writer);
        }
        List<Long> delivered = new ArrayList<>();
        vm.restore(vm.newestWhole().orElseThrow(), 1, (first, count, content) -> {
            assertThat(content.get(0)).isEqualTo((byte) (first <= 7 && 7 < first + count && first == 7 ? 1 : 0));
            synchronized (delivered) {
                for (long page = first; page < first + count; page++) {
                    delivered.add(page);
                }
            }
        });
        assertThat(delivered).containsExactlyInAnyOrder(5L, 6L, 7L, 8L);
    }

    @Test
    void aManifestNamesItsParentByItsChecksum() {
        ModelVm model = new ModelVm(PAGES);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            assertThat(model.commit(writer).parentCrc32c()).isZero();
            EpochManifest second = model.commit(writer);
            assertThat(second.parentCrc32c())
                    .isEqualTo(Records.crcOf(objects.get(new Keys(VM).epoch(1)).orElseThrow()));
        }
        try (EpochWriter next = vm.writer(claim(2), VmShape.ofMemory(PAGES))) {
            assertThat(model.commit(next).parentCrc32c())
                    .isEqualTo(Records.crcOf(objects.get(new Keys(VM).epoch(2)).orElseThrow()));
        }
    }

    @Test
    void anEmptyStoreHasNoEpochAndNoOwner() {
        assertThat(vm.newestWhole()).isEmpty();
        assertThat(vm.epoch(1)).isEmpty();
        assertThat(vm.owners().newest()).isEmpty();
    }

    @Test
    void pagesThatBecomeZeroAreNotBroughtBackByOlderSegments() {
        ModelVm model = new ModelVm(PAGES);
        model.write(new Random(3), 400);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            model.commit(writer);
            Arrays.fill(model.memory, 0, 100 * ModelVm.PAGE, (byte) 0);
            model.dirty.set(0, 100);
            model.append(writer);
            assertThat(ModelVm.restore(vm, model.commit(writer))).isEqualTo(model.memory);
        }
    }

    @Test
    void segmentsWithoutLivePagesAreDroppedAndDeleted() throws Exception {
        ModelVm model = new ModelVm(PAGES);
        Random random = new Random(4);
        EpochManifest last = null;
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            for (int epoch = 0; epoch < 20; epoch++) {
                model.write(random, 10);
                model.dirty.set(0, PAGES); // all of memory, every time
                model.append(writer);
                last = model.commit(writer);
            }
        }
        // The newest epoch, the one before it, and nothing older: death is noticed one epoch later.
        assertThat(last.segments().size()).isLessThanOrEqualTo(2 * 8);
        assertThat(objects.list("vm/" + VM + "/epoch/", 100))
                .hasSize(SMALL.retention().keepLast());
        assertThat(objects.list("vm/" + VM + "/seg/", 1000)).hasSizeLessThanOrEqualTo(5 * 8);
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
    }

    @Test
    void racesForATermHaveOneWinnerEach() throws Exception {
        int racers = 4;
        ExecutorService threads = Executors.newFixedThreadPool(racers);
        try {
            for (long term = 1; term <= races(); term++) {
                List<Callable<Boolean>> claims = new ArrayList<>();
                for (int racer = 0; racer < racers; racer++) {
                    OwnerRecord record = record(term);
                    claims.add(() -> vm.owners().claim(record).equals(record));
                }
                int winners = 0;
                for (Future<Boolean> claim : threads.invokeAll(claims)) {
                    winners += claim.get() ? 1 : 0;
                }
                assertThat(winners).as("term %d", term).isEqualTo(1);
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(vm.owners().newest().orElseThrow().term()).isEqualTo(races());
    }

    @Test
    void aWriterWhoseTermIsOverIsFenced() {
        ModelVm model = new ModelVm(PAGES);
        try (EpochWriter old = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(old);
            model.commit(old);
            OwnerRecord newer = claim(2);
            model.write(new Random(5), 10);
            model.append(old);
            assertThatThrownBy(() -> model.commit(old))
                    .isInstanceOf(FencedException.class)
                    .hasMessageContaining(newer.host())
                    .hasMessageContaining("term 2");
        }
        assertThat(vm.newestWhole().orElseThrow().epoch()).isEqualTo(1);
    }

    @Test
    void ofTwoWritersThatNeverSawEachOthersRecordOneIsFenced() {
        // The first check passes for both; the manifest's key decides.
        OwnerRecord low = record(7);
        OwnerRecord high = record(8);
        ModelVm one = new ModelVm(PAGES);
        ModelVm two = new ModelVm(PAGES);
        one.write(new Random(6), 50);
        two.write(new Random(7), 50);
        try (EpochWriter lower = vm.writer(low, VmShape.ofMemory(PAGES));
                EpochWriter higher = vm.writer(high, VmShape.ofMemory(PAGES))) {
            one.append(lower);
            two.append(higher);
            two.commit(higher);
            assertThatThrownBy(() -> one.commit(lower)).isInstanceOf(FencedException.class);
        }
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(two.memory);
    }

    @Test
    void theLastLateManifestOfAFormerOwnerDoesNotFenceTheNewOne() {
        ModelVm one = new ModelVm(PAGES);
        ModelVm two = new ModelVm(PAGES);
        one.write(new Random(8), 50);
        two.write(new Random(9), 50);
        try (EpochWriter lower = vm.writer(record(7), VmShape.ofMemory(PAGES));
                EpochWriter higher = vm.writer(record(8), VmShape.ofMemory(PAGES))) {
            one.append(lower);
            one.commit(lower);
            two.append(higher);
            assertThat(two.commit(higher).epoch()).isEqualTo(2);
        }
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(two.memory);
    }

    @Test
    void damageInAnyRegionOfASegmentNeverGivesAWrongPage() {
        ModelVm model = new ModelVm(PAGES);
        model.write(new Random(10), 100);
        byte[] before;
        EpochManifest newest;
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            model.commit(writer);
            before = model.memory.clone();
            model.write(new Random(11), 60);
            model.append(writer);
            newest = model.commit(writer);
        }
        SegmentRef last = newest.segments().get(newest.segments().size() - 1);
        byte[] good = objects.get(last.key()).orElseThrow().array();
        Random random = new Random(12);
        int fellBack = 0;
        for (int i = 0; i < 60; i++) {
            byte[] bad = good.clone();
            int length = bad.length;
            if (i % 4 == 0) {
                length = random.nextInt(length);
            } else {
                int from = i % 4 == 1 ? 0 : i % 4 == 2 ? length - 300 : length / 2;
                bad[from + random.nextInt(Math.min(300, length - from))] ^= (byte) (1 << random.nextInt(8));
            }
            objects.put(last.key(), ByteBuffer.wrap(bad, 0, length));
            EpochManifest whole = vm.newestWhole().orElseThrow();
            try {
                byte[] restored = ModelVm.restore(vm, whole);
                assertThat(restored).isEqualTo(whole.epoch() == 2 ? model.memory : before);
            } catch (DamagedObjectException e) {
                assertThat(e).hasMessageContaining(last.key());
            }
            fellBack += whole.epoch() == 1 ? 1 : 0;
        }
        assertThat(fellBack).isGreaterThan(10);
        objects.delete(last.key());
        assertThat(vm.newestWhole().orElseThrow().epoch()).isEqualTo(1);
        assertThatThrownBy(() -> vm.restore(newest, (first, count, content) -> {}))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining(last.key());
    }

    @Test
    void aDamagedManifestFallsBackAndForeignObjectsAreIgnored() {
        ModelVm model = new ModelVm(PAGES);
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            model.commit(writer);
            model.write(new Random(13), 5);
            model.append(writer);
            model.commit(writer);
        }
        objects.put("vm/" + VM + "/epoch/000-not-ours", bytes("hello"));
        objects.put("vm/" + VM + "/owner/zzz", bytes("hello"));
        assertThat(vm.newestWhole().orElseThrow().epoch()).isEqualTo(2);
        assertThat(vm.owners().newest().orElseThrow().term()).isEqualTo(1);
        String key = new Keys(VM).epoch(2);
        byte[] manifest = objects.get(key).orElseThrow().array();
        for (int at = 0; at < manifest.length; at += 7) {
            byte[] bad = manifest.clone();
            bad[at] ^= 0x10;
            objects.put(key, ByteBuffer.wrap(bad));
            assertThat(vm.newestWhole().orElseThrow().epoch()).as("byte %d", at).isEqualTo(1);
        }
    }

    @Test
    void aNewerFormatIsRefusedInWordsAndNotTakenForDamage() {
        EpochManifest newer = new EpochManifest(
                EpochManifest.VERSION + 1,
                VM,
                1,
                1,
                "n",
                0,
                0,
                PAGES,
                List.of(),
                List.of(),
                Optional.empty(),
                "{}",
                new byte[0],
                1);
        objects.put(new Keys(VM).epoch(1), Records.bytes(newer, Optional.empty(), "", Optional.empty()));
        assertThatThrownBy(vm::newestWhole)
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("format version " + (EpochManifest.VERSION + 1))
                .hasMessageContaining("newer");
    }

    @Test
    void aVmOfAnotherSizeUnderTheSameIdIsRefused() {
        ModelVm model = new ModelVm(PAGES);
        OwnerRecord owner = claim(1);
        try (EpochWriter writer = vm.writer(owner, VmShape.ofMemory(PAGES))) {
            model.append(writer);
            model.commit(writer);
        }
        assertThatThrownBy(() -> vm.writer(owner, VmShape.ofMemory(PAGES * 2)))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("another id");
    }

    @Test
    void anyHistoryOfWritesEpochsAbandonsAndCrashesRestoresTheLastCommittedEpoch() {
        for (int history = 0; history < histories(); history++) {
            long seed = 1_000_000L + history;
            try {
                runHistory("h-" + history, new Random(seed));
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("history with seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private void runHistory(String id, Random random) {
        int pages = 1 + random.nextInt(96);
        DefaultVmStore store = store(id);
        ModelVm model = new ModelVm(pages).withDeltas(random);
        byte[] committed = null;
        long term = 1;
        EpochWriter writer = store.writer(claim(store, id, term), VmShape.ofMemory(pages));
        try {
            for (int step = 2 + random.nextInt(10); step > 0; step--) {
                model.write(random, random.nextInt(40));
                model.append(writer);
                switch (random.nextInt(6)) {
                    case 0 -> {
                        writer.abandon();
                        model.abandoned();
                    }
                    case 1 -> {
                        // A crash: the writer goes; memory is that of the last epoch, on another host.
                        writer.close();
                        writer = store.writer(claim(store, id, ++term), VmShape.ofMemory(pages));
                        model.startFrom(committed == null ? new byte[pages * ModelVm.PAGE] : committed);
                        if (committed == null) {
                            model.dirty.set(0, pages);
                        }
                    }
                    default -> {
                        if (random.nextBoolean()) {
                            // A live pass before the cut: the same pages twice in one epoch, with other content.
                            model.write(random, random.nextInt(10));
                            model.append(writer);
                        }
                        model.commit(writer);
                        committed = model.memory.clone();
                    }
                }
                Optional<EpochManifest> newest = store.newestWhole();
                assertThat(newest.isPresent()).isEqualTo(committed != null);
                if (committed != null && random.nextInt(3) == 0) {
                    assertThat(ModelVm.restore(store, newest.orElseThrow())).isEqualTo(committed);
                }
            }
        } finally {
            writer.close();
        }
        if (committed != null) {
            assertThat(ModelVm.restore(store, store.newestWhole().orElseThrow()))
                    .isEqualTo(committed);
        }
    }

    OwnerRecord claim(long term) {
        return claim(vm, VM, term);
    }

    private static OwnerRecord claim(VmStore store, String id, long term) {
        OwnerRecord record = record(id, term);
        assertThat(store.owners().claim(record)).isEqualTo(record);
        return record;
    }

    static OwnerRecord record(long term) {
        return record(VM, term);
    }

    static OwnerRecord record(String id, long term) {
        return new OwnerRecord(
                OwnerRecord.VERSION, id, term, "host-" + term, UUID.randomUUID().toString(), 1);
    }

    static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }
}
