// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Reads {@code store-v2}, three epochs written by the last Lifeboat of format version 2. They continue epochs of version 1,
 * and list segments of that version.
 */
class VersionTwoTest {
    /** SHA-256 of the guest's memory at each epoch, as computed by the writer. */
    private static final List<String> MEMORY = List.of(
            "ae251b15dbce3bbd535dde017ba2f774d7dc84aad12cd116282f9b8df6527b96",
            "5678e227ffebad8d018b4b55fc4f1500b16c8d31563b15cd4f4bd1377606c03a",
            "5846c50e7025361a33456301532f776921f1e2ef13b8d8e026ad57340d2ecf77");

    private static final VmShape SHAPE = VmShape.ofMemory(64);

    @TempDir
    Path directory;

    private ObjectStore objects;
    private DefaultVmStore vm;

    @BeforeEach
    void copyStore() throws Exception {
        Path golden = Path.of(VersionTwoTest.class.getResource("/store-v2").toURI());
        try (Stream<Path> files = Files.walk(golden)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = directory.resolve(golden.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
        objects = ObjectStores.open("dir:" + directory, Optional.empty(), Optional.empty());
        vm = new DefaultVmStore(objects, "golden", VmStoreSuite.SMALL);
    }

    @AfterEach
    void closeStore() {
        objects.close();
    }

    @Test
    void epochsOfVersionTwoRestoreBitForBit() throws Exception {
        for (int epoch = 4; epoch <= 6; epoch++) {
            EpochManifest manifest = vm.epoch(epoch).orElseThrow();
            assertThat(manifest.version()).isEqualTo(2);
            assertThat(manifest.shape()).isEqualTo(SHAPE);
            assertThat(manifest.parentEpoch()).isEqualTo(epoch - 1);
            assertThat(manifest.state()).containsExactly(1, 2, 3);
            assertThat(sha256(ModelVm.restore(vm, manifest))).isEqualTo(MEMORY.get(epoch - 4));
        }
        assertThat(vm.newestWhole().orElseThrow().epoch()).isEqualTo(6);
    }

    @Test
    void epochsOfThisVersionContinueThoseOfVersionTwoAndReferToCheckpoints() throws IOException {
        OwnerRecord owner = VmStoreSuite.record("golden", 3);
        vm.owners().claim(owner);
        ModelVm model = new ModelVm(64);
        byte[] before = ModelVm.restore(vm, vm.newestWhole().orElseThrow());
        System.arraycopy(before, 0, model.memory, 0, before.length);
        model.dirty.clear();
        model.write(new Random(1), 5);
        try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(owner, SHAPE)) {
            model.append(writer);
            EpochManifest next = model.commit(writer);
            assertThat(next.epoch()).isEqualTo(7);
            assertThat(next.version()).isEqualTo(EpochManifest.VERSION);
            assertThat(next.segments()).hasSizeGreaterThan(1);
            writer.awaitBackground();
            model.write(new Random(2), 5);
            model.append(writer);
            assertThat(model.commit(writer).checkpoint()).isPresent();
        }
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
    }

    @Test
    void anEpochOfVersionOneIsRefusedInWordsAndNotTakenForDamage() throws IOException {
        Path file = directory.resolve(new Keys("golden").epoch(6));
        EpochManifest newest = vm.epoch(6).orElseThrow();
        EpochManifest old = new EpochManifest(
                1,
                newest.vmId(),
                newest.epoch(),
                newest.term(),
                newest.nonce(),
                newest.parentEpoch(),
                newest.parentCrc32c(),
                newest.pages(),
                newest.disks(),
                newest.segments(),
                Optional.empty(),
                newest.vmDescription(),
                newest.state(),
                newest.cutAtMillis());
        Files.write(
                file, Records.bytes(old, Optional.empty(), "", Optional.empty()).array());
        assertThatThrownBy(vm::newestWhole)
                .hasMessageContaining("format version 1")
                .hasMessageContaining("reads versions 2 to 3")
                .hasMessageContaining("matching older");
    }

    private static String sha256(byte[] memory) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(memory));
    }
}
