// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

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

/** Reads {@code store-v1}, three epochs written by the last Lifeboat of format version 1. */
class VersionOneTest {
    /** SHA-256 of the guest's memory at each epoch, as computed by the writer. */
    private static final List<String> MEMORY = List.of(
            "9d81297a680089b9e49d5f179aad18c4a47bc730fb3305eb73d5f6567859154e",
            "763fc71f6276f94b908b796a455266ddea48acf12815733c0ae384f58f1fba6f",
            "8fbaf93e0f103f3f830b3e589801439e569fb17406bfaaa1169e54e74d192d21");

    private static final VmShape SHAPE = VmShape.ofMemory(64);

    @TempDir
    Path directory;

    private ObjectStore objects;
    private DefaultVmStore vm;

    @BeforeEach
    void copyStore() throws Exception {
        Path golden = Path.of(VersionOneTest.class.getResource("/store-v1").toURI());
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
    void epochsOfVersionOneRestoreBitForBit() throws Exception {
        for (int epoch = 1; epoch <= 3; epoch++) {
            EpochManifest manifest = vm.epoch(epoch).orElseThrow();
            assertThat(manifest.version()).isEqualTo(1);
            assertThat(manifest.shape()).isEqualTo(SHAPE);
            assertThat(manifest.parentEpoch()).isEqualTo(epoch - 1);
            assertThat(manifest.state()).containsExactly(1, 2, 3);
            assertThat(sha256(ModelVm.restore(vm, manifest))).isEqualTo(MEMORY.get(epoch - 1));
        }
        assertThat(vm.newestWhole().orElseThrow().epoch()).isEqualTo(3);
    }

    @Test
    void anEpochOfThisVersionContinuesOneOfVersionOne() throws IOException {
        OwnerRecord owner = VmStoreSuite.record("golden", 2);
        vm.owners().claim(owner);
        ModelVm model = new ModelVm(64);
        byte[] before = ModelVm.restore(vm, vm.newestWhole().orElseThrow());
        System.arraycopy(before, 0, model.memory, 0, before.length);
        model.dirty.clear();
        model.write(new Random(1), 5);
        try (EpochWriter writer = vm.writer(owner, SHAPE)) {
            model.append(writer);
            EpochManifest next = model.commit(writer);
            assertThat(next.epoch()).isEqualTo(4);
            assertThat(next.version()).isEqualTo(EpochManifest.VERSION);
            assertThat(next.segments()).hasSizeGreaterThan(1);
        }
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
    }

    private static String sha256(byte[] memory) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(memory));
    }
}
