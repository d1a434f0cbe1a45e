// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The suite with every VM encrypted, and the rules of keys. */
class EncryptedVmStoreTest extends VmStoreSuite {
    private static final String SECRET = "{\"command\": \"password=opensesame\"}";

    @TempDir
    Path directory;

    private KeyWrapper key;

    @Override
    BackEnd backEnd() throws IOException {
        key = KeyWrapper.open(KeyWrapperTest.keyFile(directory.resolve("key"), VmKey.random()));
        return new DirectoryBackEnd(directory.resolve("store"));
    }

    @Override
    DefaultVmStore store(String vmId, StoreSettings settings) {
        return new DefaultVmStore(objects, vmId, settings, Optional.of(key));
    }

    @Override
    int histories() {
        return 60;
    }

    private DefaultVmStore with(String vmId, Optional<KeyWrapper> wrapper) {
        return new DefaultVmStore(objects, vmId, SMALL, wrapper);
    }

    /** An epoch whose pages and description hold words that must not be found in the store. */
    private byte[] commitSecret(DefaultVmStore store) {
        ModelVm model = new ModelVm(PAGES);
        byte[] words = "opensesame".getBytes(StandardCharsets.US_ASCII);
        for (int at = 0; at < model.memory.length - words.length; at += 4096) {
            System.arraycopy(words, 0, model.memory, at, words.length);
        }
        try (EpochWriter writer = store.writer(claim(1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            writer.commit(SECRET, words, 1);
        }
        return model.memory;
    }

    @Test
    void nothingOfPagesDescriptionAndStateStandsInTheStore() {
        byte[] memory = commitSecret(vm);
        for (ObjectStore.Entry entry : objects.entries("", Integer.MAX_VALUE)) {
            byte[] content = objects.get(entry.key()).orElseThrow().array();
            assertThat(new String(content, StandardCharsets.ISO_8859_1))
                    .as(entry.key())
                    .doesNotContain("opensesame");
        }
        EpochManifest manifest = store(VM).newestWhole().orElseThrow();
        assertThat(manifest.vmDescription()).isEqualTo(SECRET);
        assertThat(ModelVm.restore(store(VM), manifest)).isEqualTo(memory);
    }

    @Test
    void aWrongKeyAndNoKeyAreClearErrorsForReadersAndWriters() throws IOException {
        commitSecret(vm);
        Optional<KeyWrapper> wrong =
                Optional.of(KeyWrapper.open(KeyWrapperTest.keyFile(directory.resolve("wrong"), VmKey.random())));
        assertThatThrownBy(() -> with(VM, wrong).newestWhole())
                .isInstanceOf(WrongKeyException.class)
                .hasMessageContaining("wrong is not the key that VM vm-1 is encrypted with");
        assertThatThrownBy(() -> with(VM, wrong).writer(record(2), VmShape.ofMemory(PAGES)))
                .isInstanceOf(WrongKeyException.class);
        assertThatThrownBy(() -> with(VM, Optional.empty()).newestWhole())
                .isInstanceOf(WrongKeyException.class)
                .hasMessageContaining("is encrypted and no key is given")
                .hasMessageContaining("--store-key");
        assertThatThrownBy(() -> with(VM, Optional.empty()).writer(record(2), VmShape.ofMemory(PAGES)))
                .isInstanceOf(WrongKeyException.class);
        Optional<KeyWrapper> otherKind = Optional.of(KeyWrapper.open("aws-kms:" + FakeKms.arn("one")));
        assertThatThrownBy(() -> with(VM, otherKind).newestWhole())
                .isInstanceOf(WrongKeyException.class)
                .hasMessageContaining("encrypted with a key of kind file");
    }

    @Test
    void aKeyForAVmThatIsNotEncryptedIsAClearErrorAndChangesNothing() {
        DefaultVmStore clear = with("clear", Optional.empty());
        ModelVm model = new ModelVm(8);
        OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, "clear", 1, "host", "n", 1);
        try (EpochWriter writer = clear.writer(owner, VmShape.ofMemory(8))) {
            model.append(writer);
            model.commit(writer);
        }
        assertThatThrownBy(() -> store("clear").newestWhole())
                .isInstanceOf(WrongKeyException.class)
                .hasMessageContaining("VM clear")
                .hasMessageContaining("is not encrypted, but the key file:");
        assertThatThrownBy(() -> store("clear").writer(owner, VmShape.ofMemory(8)))
                .isInstanceOf(WrongKeyException.class);
        assertThat(objects.list("vm/clear/key/", 10)).isEmpty();
        assertThat(clear.newestWhole()).isPresent();
    }

    @Test
    void aKeyObjectThatIsGoneIsNamedAndNoEpochIsTakenForDamaged() {
        commitSecret(vm);
        objects.delete("vm/vm-1/key/1");
        assertThatThrownBy(() -> store(VM).newestWhole())
                .isInstanceOf(StoreException.class)
                .isNotInstanceOf(DamagedObjectException.class)
                .hasMessageContaining("vm/vm-1/key/1 is missing")
                .hasMessageContaining("put it back from a copy");
    }

    @Test
    void aVmThatCrashedBeforeItsFirstEpochKeepsItsKey() {
        store(VM).writer(claim(1), VmShape.ofMemory(PAGES)).close();
        ByteBuffer made = objects.get("vm/vm-1/key/1").orElseThrow();
        assertThatThrownBy(() -> with(VM, Optional.empty()).writer(record(2), VmShape.ofMemory(PAGES)))
                .isInstanceOf(WrongKeyException.class);
        store(VM).writer(record(2), VmShape.ofMemory(PAGES)).close();
        assertThat(objects.get("vm/vm-1/key/1")).contains(made);
    }

    @Test
    void anAlteredManifestWithARightChecksumIsFoundByWhoHasTheKey() {
        commitSecret(vm);
        String name = new Keys(VM).epoch(1);
        Records.Visible visible = Records.visible(name, objects.get(name).orElseThrow());
        assertThat(visible.keyNumber()).isEqualTo(1);
        assertThat(visible.body().vmDescription()).isEmpty();
        assertThat(visible.body().segments()).isNotEmpty();
        VmKey another = new VmKey(1, VmKey.random());
        EpochManifest opened = vm.newestWhole().orElseThrow();
        objects.put(name, Records.bytes(opened, Optional.empty(), name, Optional.of(another)));
        assertThat(store(VM).newestWhole())
                .as("not sealed with this key: damaged")
                .isEmpty();
        // A clear one in its place would have been a way to feed a VM foreign pages.
        objects.put(name, Records.bytes(opened, Optional.empty(), name, Optional.empty()));
        assertThatThrownBy(() -> store(VM).newestWhole()).isInstanceOf(WrongKeyException.class);
    }

    @Test
    void encryptedAndClearVmsShareAStore() {
        commitSecret(vm);
        DefaultVmStore clear = with("clear", Optional.empty());
        OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, "clear", 1, "host", "n", 1);
        ModelVm model = new ModelVm(8);
        Arrays.fill(model.memory, (byte) 7);
        try (EpochWriter writer = clear.writer(owner, VmShape.ofMemory(8))) {
            model.append(writer);
            model.commit(writer);
        }
        assertThat(ModelVm.restore(clear, clear.newestWhole().orElseThrow())).isEqualTo(model.memory);
    }
}
