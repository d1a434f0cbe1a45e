// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Manifests that refer to checkpoints, over a VM of many small segments. */
class CheckpointTest {
    private static final String VM = "vm-1";
    /** Of random pages: a segment of 80 KiB takes 16. */
    private static final int PAGES = 16 * 200;

    private static final StoreSettings SETTINGS =
            new StoreSettings(80 * 1024, 80 * 1024, 2, 1, new RetentionPolicy(3, 0), false, 64, 60_000, 60_000, 30_000);

    private final HeapObjectStore objects = new HeapObjectStore();
    private final DefaultVmStore vm = new DefaultVmStore(objects, VM, SETTINGS);
    private final ModelVm model = new ModelVm(PAGES);
    private final Random random = new Random(71);

    private DefaultEpochWriter writer(ObjectStore through, StoreSettings settings, long term) {
        DefaultVmStore store = new DefaultVmStore(through, VM, settings);
        OwnerRecord owner = VmStoreSuite.record(VM, term);
        store.owners().claim(owner);
        return (DefaultEpochWriter) store.writer(owner, VmShape.ofMemory(PAGES));
    }

    private EpochManifest fill(DefaultEpochWriter writer) {
        random.nextBytes(model.memory);
        return commit(writer);
    }

    private EpochManifest rewrite(DefaultEpochWriter writer, int pages) {
        for (int i = 0; i < pages; i++) {
            int page = random.nextInt(PAGES);
            model.memory[page * ModelVm.PAGE] ^= 1;
            model.dirty.set(page);
        }
        return commit(writer);
    }

    private EpochManifest commit(DefaultEpochWriter writer) {
        model.append(writer);
        EpochManifest manifest = model.commit(writer);
        writer.awaitBackground();
        return manifest;
    }

    private long manifestBytes(EpochManifest manifest) {
        return objects.objects.get(new Keys(VM).epoch(manifest.epoch())).length;
    }

    private List<String> checkpoints() {
        return objects.list(new Keys(VM).checkpointPrefix(), 100);
    }

    @Test
    void manifestsStaySmallAndCheckpointsAreFewAndEveryEpochRestores() {
        Set<String> used = new HashSet<>();
        long written = 0;
        try (DefaultEpochWriter writer = writer(objects, SETTINGS, 1)) {
            EpochManifest first = fill(writer);
            assertThat(first.segments()).hasSizeGreaterThanOrEqualTo(200);
            assertThat(first.checkpoint()).isEmpty();
            long whole = manifestBytes(first);
            for (int epoch = 0; epoch < 100; epoch++) {
                EpochManifest manifest = rewrite(writer, 8);
                used.add(manifest.checkpoint().orElseThrow().key());
                written += manifestBytes(manifest);
                assertThat(manifestBytes(manifest)).isLessThan(whole / 4);
                assertThat(checkpoints().size())
                        .as("old ones go with their epochs")
                        .isLessThanOrEqualTo(3);
                if (epoch % 20 == 0) {
                    assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow()))
                            .isEqualTo(model.memory);
                }
            }
            long each = written / 100;
            System.out.printf(
                    "manifests: %d bytes with all of %d segments, %d on average beside %d checkpoints in 100 epochs%n",
                    whole, first.segments().size(), each, used.size());
            assertThat(used).hasSizeBetween(2, 10);
        }
        EpochManifest newest = vm.newestWhole().orElseThrow();
        assertThat(ModelVm.restore(vm, newest)).isEqualTo(model.memory);
    }

    @Test
    void whoGoesOnRefersToTheCheckpointOfTheFormerWriter() {
        CheckpointRef former;
        try (DefaultEpochWriter writer = writer(objects, SETTINGS, 1)) {
            fill(writer);
            former = rewrite(writer, 4).checkpoint().orElseThrow();
        }
        try (DefaultEpochWriter writer = writer(objects, SETTINGS, 2)) {
            assertThat(rewrite(writer, 4).checkpoint()).contains(former);
        }
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
    }

    @Test
    void aCheckpointThatNoManifestRefersToGoesWithItsWriter() {
        try (DefaultEpochWriter writer = writer(objects, SETTINGS, 1)) {
            fill(writer);
            assertThat(checkpoints()).hasSize(1);
        }
        assertThat(checkpoints()).isEmpty();
    }

    @Test
    void aCheckpointThatWaitedTooLongIsNotReferredToBecauseGcMayTakeIt() {
        StoreSettings short1ms =
                new StoreSettings(80 * 1024, 80 * 1024, 2, 1, new RetentionPolicy(3, 0), false, 64, 60_000, 1, 30_000);
        // Segments of an epoch, too, would be too old: only a long list and an epoch without pages come through.
        try (DefaultEpochWriter writer = writer(objects, SETTINGS, 1)) {
            fill(writer);
        }
        try (DefaultEpochWriter writer = writer(objects, short1ms, 2)) {
            assertThat(commit(writer).checkpoint()).isEmpty();
            assertThat(checkpoints()).hasSize(1);
            long madeNs = System.nanoTime();
            while (System.nanoTime() - madeNs < 3_000_000) {
                Thread.onSpinWait();
            }
            assertThat(commit(writer).checkpoint()).isEmpty();
        }
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
    }

    @Test
    void anEncryptedVmsCheckpointCannotBeExchanged(@TempDir Path directory) throws IOException {
        KeyWrapper key = KeyWrapper.open(KeyWrapperTest.keyFile(directory.resolve("key"), VmKey.random()));
        DefaultVmStore secret = new DefaultVmStore(objects, VM, SETTINGS, Optional.of(key));
        OwnerRecord owner = VmStoreSuite.record(VM, 1);
        CheckpointRef ref;
        try (DefaultEpochWriter writer = (DefaultEpochWriter) secret.writer(owner, VmShape.ofMemory(PAGES))) {
            fill(writer);
            ref = rewrite(writer, 4).checkpoint().orElseThrow();
        }
        assertThat(ModelVm.restore(secret, secret.newestWhole().orElseThrow())).isEqualTo(model.memory);
        // With a right checksum, and the segments of the first epoch only in another order.
        Checkpoint.Body good =
                Records.checkpoint(ref.key(), objects.get(ref.key()).orElseThrow());
        List<EpochManifest.SegmentRef> turned = new ArrayList<>(good.segments());
        Collections.reverse(turned);
        ByteBuffer forged = Records.bytes(new Checkpoint.Body(good.version(), VM, turned));
        assertThat(forged.remaining()).isEqualTo((int) ref.lengthBytes());
        objects.put(ref.key(), forged);
        DefaultVmStore again = new DefaultVmStore(objects, VM, SETTINGS, Optional.of(key));
        assertThatThrownBy(() -> again.epoch(2))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining(ref.key());
    }

    @Test
    void aCheckpointOfANewerFormatIsRefusedInWordsAndNotTakenForDamage() {
        try (DefaultEpochWriter writer = writer(objects, SETTINGS, 1)) {
            fill(writer);
        }
        EpochManifest first = vm.newestWhole().orElseThrow();
        String key = new Keys(VM).checkpoint(1, 7, "ab");
        ByteBuffer newer = Records.bytes(new Checkpoint.Body(Checkpoint.Body.VERSION + 1, VM, first.segments()));
        objects.put(key, newer);
        Checkpoint checkpoint = new Checkpoint(Checkpoints.ref(key, newer), first.segments());
        EpochManifest second = new EpochManifest(
                EpochManifest.VERSION,
                VM,
                2,
                1,
                "n",
                1,
                0,
                PAGES,
                List.of(),
                first.segments(),
                Optional.of(checkpoint.ref()),
                "{}",
                new byte[0],
                1);
        objects.put(new Keys(VM).epoch(2), Records.bytes(second, Optional.of(checkpoint), "", Optional.empty()));
        assertThatThrownBy(vm::newestWhole).hasMessageContaining("format version 4");
    }
}
