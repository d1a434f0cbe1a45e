// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.GarbageCollector.Result;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GarbageCollectorTest {
    private static final int PAGES = 64;
    private static final String VM = "vm-1";
    private static final RetentionPolicy KEEP_TWO = new RetentionPolicy(2, 0);
    private static final RetentionPolicy KEEP_ONE = new RetentionPolicy(1, 0);
    private static final String LOST_CHECKPOINT = "vm/" + VM + "/checkpoint/0000000000000000007-1-0123456789abcdef";
    private static final long HOUR_MS = 3_600_000;
    /** Every epoch is kept by the writer, so that there is something to collect. */
    private static final StoreSettings KEEPS_TEN = new StoreSettings(
            256 * 1024,
            256 * 1024,
            2,
            3,
            new RetentionPolicy(10, Long.MAX_VALUE / 2),
            false,
            2,
            60_000,
            60_000,
            30_000);

    @TempDir
    Path directory;

    private ObjectStore objects;
    private final AtomicLong now = new AtomicLong(System.currentTimeMillis() + 7_200_000);
    private final Map<Long, byte[]> memories = new HashMap<>();

    @BeforeEach
    void sixEpochsAndTheSegmentsOfAWriterThatCrashed() {
        objects = ObjectStores.open("dir:" + directory, Optional.empty(), Optional.empty());
        DefaultVmStore vm = vm();
        OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, VM, 1, "host-a", "nonce", 1);
        ModelVm model = new ModelVm(PAGES);
        Random random = new Random(31);
        try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(owner, VmShape.ofMemory(PAGES))) {
            for (long epoch = 1; epoch <= 6; epoch++) {
                model.write(random, 30);
                model.append(writer);
                model.commit(writer);
                memories.put(epoch, model.memory.clone());
                writer.awaitBackground();
            }
        }
        objects.put(LOST_CHECKPOINT, ByteBuffer.wrap(new byte[100]));
        objects.put("vm/" + VM + "/seg/0000000000000000007-99-0123456789abcdef", ByteBuffer.wrap(new byte[100]));
    }

    private DefaultVmStore vm() {
        return new DefaultVmStore(objects, VM, KEEPS_TEN);
    }

    private Result collect(ObjectStore through, RetentionPolicy retention, long graceMs, boolean dryRun) {
        return new GarbageCollector(through, Optional.empty(), retention, graceMs, now::get).collect(VM, dryRun);
    }

    private void assertRestores(long... epochs) {
        for (long epoch : epochs) {
            assertThat(ModelVm.restore(vm(), vm().epoch(epoch).orElseThrow())).isEqualTo(memories.get(epoch));
        }
    }

    private List<String> keys() {
        return objects.list("", 10_000);
    }

    @Test
    void whatIsKeptRestoresAndNothingElseIsLeft() {
        Result result = collect(objects, KEEP_TWO, HOUR_MS, false);
        assertThat(result.epochs()).containsExactly(4L, 3L, 2L, 1L);
        assertThat(result.segments()).contains("vm/vm-1/seg/0000000000000000007-99-0123456789abcdef");
        assertThat(result.segments()).contains(LOST_CHECKPOINT);
        assertThat(result.bytes()).isPositive();
        assertThat(result.notes()).isEmpty();
        assertRestores(5, 6);
        assertThat(vm().epoch(4)).isEmpty();
        VmObjects left = VmObjects.list(objects, VM);
        List<String> listed = List.of(5L, 6L).stream()
                .flatMap(epoch -> vm().epoch(epoch).orElseThrow().segments().stream())
                .map(EpochManifest.SegmentRef::key)
                .distinct()
                .toList();
        assertThat(left.segments().keySet()).containsExactlyInAnyOrderElementsOf(listed);
        List<String> referredTo = List.of(5L, 6L).stream()
                .flatMap(epoch -> vm().epoch(epoch).orElseThrow().checkpoint().stream())
                .map(EpochManifest.CheckpointRef::key)
                .distinct()
                .toList();
        assertThat(referredTo).isNotEmpty();
        assertThat(left.checkpoints().keySet()).containsExactlyInAnyOrderElementsOf(referredTo);
        Result again = collect(objects, KEEP_TWO, HOUR_MS, false);
        assertThat(again.epochs()).isEmpty();
        assertThat(again.segments()).isEmpty();
    }

    @Test
    void aDryRunSaysTheSameAndChangesNothing() {
        List<String> before = keys();
        Result dry = collect(objects, KEEP_TWO, HOUR_MS, true);
        assertThat(keys()).isEqualTo(before);
        assertThat(collect(objects, KEEP_TWO, HOUR_MS, false)).isEqualTo(dry);
    }

    @Test
    void youngSegmentsAndEpochsOfTheKeptTimeStay() {
        now.set(System.currentTimeMillis() + 1_000);
        Result result = collect(objects, KEEP_TWO, HOUR_MS, false);
        assertThat(result.epochs()).hasSize(4);
        assertThat(result.segments()).isEmpty();
        assertThat(result.notes()).singleElement().asString().contains("a writer may just be making an epoch");
        assertThat(collect(objects, new RetentionPolicy(1, Long.MAX_VALUE / 2), 0, false)
                        .epochs())
                .isEmpty();
        assertRestores(5, 6);
    }

    @Test
    void anEpochThatIsReadStaysWithItsSegments() {
        try (EpochReader reader = vm().open(vm().epoch(2).orElseThrow())) {
            now.set(System.currentTimeMillis());
            Result result = collect(objects, KEEP_ONE, 0, false);
            assertThat(result.epochs()).containsExactly(5L, 4L, 3L, 1L);
            assertRestores(2, 6);
            reader.fill(VmShape.MEMORY, (first, count, content) -> {});
        }
        assertThat(collect(objects, KEEP_ONE, 0, false).epochs()).containsExactly(2L);
        assertRestores(6);
    }

    @Test
    void aLeaseOnAnEpochWhoseManifestIsGoneKeepsEverySegment() {
        try (EpochReader reader = vm().open(vm().epoch(1).orElseThrow())) {
            objects.delete(new Keys(VM).epoch(1));
            now.set(System.currentTimeMillis());
            Result result = collect(objects, KEEP_ONE, 0, false);
            assertThat(result.segments()).isEmpty();
            assertThat(result.notes())
                    .singleElement()
                    .asString()
                    .contains("epoch 1")
                    .contains("still being read");
            reader.fill(VmShape.MEMORY, (first, count, content) -> {});
        }
    }

    @Test
    void theNewestWholeEpochStaysWhenNewerOnesAreDamaged() {
        // Both newer ones lose a segment's index: only who reads it can tell.
        for (long epoch = 5; epoch <= 6; epoch++) {
            List<EpochManifest.SegmentRef> segments =
                    vm().epoch(epoch).orElseThrow().segments();
            String last = segments.get(segments.size() - 1).key();
            byte[] bytes = objects.get(last).orElseThrow().array();
            bytes[bytes.length - 40] ^= 1;
            objects.put(last, ByteBuffer.wrap(bytes));
        }
        Result result = collect(objects, KEEP_ONE, 0, false);
        assertThat(result.epochs()).containsExactly(3L, 2L, 1L);
        assertRestores(4);
        assertThat(vm().newestWhole().orElseThrow().epoch()).isEqualTo(4);
    }

    @Test
    void aKeptManifestThatCannotBeReadKeepsEverySegment() {
        objects.put(new Keys(VM).epoch(6), ByteBuffer.wrap(new byte[50]));
        Result result = collect(objects, KEEP_TWO, HOUR_MS, false);
        assertThat(result.epochs()).containsExactly(4L, 3L, 2L, 1L);
        assertThat(result.segments()).isEmpty();
        assertThat(result.notes()).singleElement().asString().contains("epoch 6");
        assertRestores(5);
    }

    @Test
    void aKeptEpochWhoseCheckpointCannotBeReadKeepsEverySegment() {
        String damaged = vm().epoch(6).orElseThrow().checkpoint().orElseThrow().key();
        byte[] bytes = objects.get(damaged).orElseThrow().array();
        bytes[bytes.length / 2] ^= 1;
        objects.put(damaged, ByteBuffer.wrap(bytes));
        List<String> before = keys();
        long whole = vm().newestWhole().orElseThrow().epoch();
        Result result = collect(objects, KEEP_TWO, HOUR_MS, false);
        assertThat(result.segments()).isEmpty();
        assertThat(result.notes()).singleElement().asString().contains(damaged);
        assertThat(result.epochs()).allSatisfy(epoch -> assertThat(epoch).isLessThan(whole));
        assertThat(keys()).hasSize(before.size() - result.epochs().size());
        assertRestores(whole);
    }

    @Test
    void withoutAWholeEpochNothingIsDeleted() {
        for (long epoch = 1; epoch <= 6; epoch++) {
            objects.put(new Keys(VM).epoch(epoch), ByteBuffer.wrap(new byte[50]));
        }
        List<String> before = keys();
        assertThat(collect(objects, KEEP_ONE, 0, false).notes())
                .singleElement()
                .asString()
                .contains("store verify vm-1");
        assertThat(keys()).isEqualTo(before);
    }

    @Test
    void aVmThatIsNotThereIsNamed() {
        GarbageCollector collector = new GarbageCollector(objects, Optional.empty(), KEEP_TWO, HOUR_MS, now::get);
        assertThatThrownBy(() -> collector.collect("nobody", false)).isInstanceOf(NotInStoreException.class);
    }

    /** Dies at its k-th operation on the store, for every k, before or after it took effect. */
    @Test
    void aCrashAtAnyPointLosesNothingAndTheNextRunFinishes() {
        Map<String, byte[]> before = new HashMap<>();
        keys().forEach(key -> before.put(key, objects.get(key).orElseThrow().array()));
        int operations = 0;
        boolean died = true;
        for (int k = 1; died; k++) {
            for (boolean takesEffect : new boolean[] {false, true}) {
                keys().forEach(objects::delete);
                before.forEach((key, content) -> objects.put(key, ByteBuffer.wrap(content)));
                try {
                    collect(MortalStore.of(objects, k, takesEffect), KEEP_TWO, HOUR_MS, false);
                    died = false;
                } catch (StoreException e) {
                    assertThat(e).hasMessage("dead");
                }
                assertRestores(5, 6);
                assertThat(vm().newestWhole().orElseThrow().epoch()).isEqualTo(6);
                collect(objects, KEEP_TWO, HOUR_MS, false);
                assertRestores(5, 6);
                assertThat(VmObjects.list(objects, VM).manifests()).hasSize(2);
            }
            operations = k;
        }
        assertThat(operations)
                .as("deletes alone are four manifests and some segments")
                .isGreaterThan(10);
    }
}
