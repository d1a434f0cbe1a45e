// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.KeyWrapper;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.StoreSettings;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.store.WrongKeyException;
import dev.lifeboat.stream.FakeDisk;
import dev.lifeboat.stream.FakeVm;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.wire.WireSecurity;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The same moves with the real store: segments, manifests, owner records in a directory. */
@Timeout(120)
class EvacuationWithDirectoryStoreTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @Test
    void aVmMovesTwiceAndRestoresFromTheStoreAloneAfterEachMove(@TempDir Path directory) throws Exception {
        moveTwice(directory, Optional.empty());
    }

    @Test
    void anEncryptedVmMovesTwiceAndRestoresWithItsKeyAlone(@TempDir Path directory, @TempDir Path elsewhere)
            throws Exception {
        Path file = elsewhere.resolve("key");
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, "0123456789abcdef".repeat(4));
        moveTwice(directory, Optional.of(KeyWrapper.open("file:" + file)));
        try (ObjectStore objects = ObjectStores.open("dir:" + directory, Optional.empty(), Optional.empty())) {
            assertThatThrownBy(() -> new DefaultVmStore(objects, "vm-1").newestWhole())
                    .isInstanceOf(WrongKeyException.class);
        }
    }

    private static void moveTwice(Path directory, Optional<KeyWrapper> key) throws Exception {
        try (ObjectStore objects = ObjectStores.open("dir:" + directory, Optional.empty(), Optional.empty())) {
            // Each host opens the VM's store by itself, as separate processes do.
            try (TestHost a = host("a", objects, key).boot(21, 20_000);
                    TestHost b = host("b", objects, key);
                    TestHost c = host("c", objects, key)) {
                a.streamer.forceEpoch(LIMIT);
                move(a, b);
                assertRestores(store(objects, key), b);
                move(b, c);
                assertRestores(store(objects, key), c);
                assertThat(c.streamer.owner().term()).isEqualTo(3);
            }
        }
    }

    private static TestHost host(String name, ObjectStore objects, Optional<KeyWrapper> key) {
        return new TestHost(name, store(objects, key), WireSecurity.insecure());
    }

    private static VmStore store(ObjectStore objects, Optional<KeyWrapper> key) {
        return new DefaultVmStore(objects, "vm-1", StoreSettings.DEFAULT, key);
    }

    private static void move(TestHost from, TestHost to) throws Exception {
        EvacuationReport report = from.evacuateTo(to);
        assertThat(report.memoryHashEqual()).isTrue();
        assertThat(report.hydratedFromEpoch()).isPositive();
        to.target.complete().get(10, TimeUnit.SECONDS);
        to.arrived();
        assertThat(to.findDamage()).isEmpty();
    }

    private static void assertRestores(VmStore store, TestHost host) {
        host.streamer.forceEpoch(LIMIT);
        // Later epochs would push this one out of the store while it is read.
        long epoch = host.streamer.suspend(LIMIT);
        EpochManifest manifest = store.epoch(epoch).orElseThrow();
        try (GuestMemory memory = new GuestMemory(TestHost.MEMORY_BYTES)) {
            store.restore(
                    manifest,
                    (first, count, content) -> NativeMemory.copy(
                            NativeMemory.addressOf(content) + content.position(),
                            memory.pageAddress(first),
                            count * 4096L));
            List<FakeDisk> disks = TestHost.freshDisks();
            for (int i = 0; i < disks.size(); i++) {
                FakeDisk disk = disks.get(i);
                store.restore(
                        manifest,
                        i + 1,
                        (first, count, content) ->
                                disk.fill(first, count, NativeMemory.addressOf(content) + content.position()));
            }
            try (FakeVm restored = new FakeVm(memory, disks, manifest.state())) {
                assertThat(restored.findDamage()).isEmpty();
            }
        }
        host.streamer.resume(host.streamer.owner());
    }
}
