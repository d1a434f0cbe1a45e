// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryOwnerRegistryTest extends ObjectOwnerRegistrySuite {
    @TempDir
    Path directory;

    @Override
    ObjectStore objects() {
        return ObjectStores.open("dir:" + directory.resolve("registry"), Optional.empty(), Optional.empty());
    }

    @Test
    void aRegistryIsOpenedByItsUrl() {
        String url = "dir:" + directory.resolve("by-url");
        try (FleetRegistry registry = OwnerRegistries.open(url, Optional.empty(), Optional.empty())) {
            OwnerRecord mine = record(1);
            assertThat(registry.owners("vm-1").claim(mine)).isEqualTo(mine);
        }
        try (ObjectStore objects = ObjectStores.open(url, Optional.empty(), Optional.empty())) {
            assertThat(objects.list("vm/vm-1/owner/", 10)).hasSize(1);
        }
    }

    @Test
    void anEtcdUrlWithoutItsLibrarySaysWhatIsMissing() {
        assertThatThrownBy(() -> OwnerRegistries.open("etcd://127.0.0.1:1/x", Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("etcd-registry");
    }

    @Test
    void aRecordUnderAnotherTermsKeyIsNamedAsDamaged() {
        try (ObjectStore objects = objects()) {
            objects.put(OwnerRecords.key("vm-1", 2), OwnerRecords.bytes(record(1)));
            OwnerRegistry owners = OwnerRegistries.in(objects).owners("vm-1");
            assertThatThrownBy(() -> owners.of(2))
                    .isInstanceOf(DamagedObjectException.class)
                    .hasMessageContaining("another key");
        }
    }

    @Test
    void aRecordOfTheFirstFormatIsOneOfStrictMode() {
        // As version 1 wrote it: without the lease's length.
        OwnerRecord old = new OwnerRecord(1, "vm-1", 1, "host-1", "nonce", 1_700_000_000_000L);
        ByteBuffer bytes = OwnerRecords.bytes(old);
        OwnerRecord read = OwnerRecords.read("vm-1", 1, bytes);
        assertThat(read).isEqualTo(old);
        assertThat(read.leaseMillis()).isZero();
    }
}
