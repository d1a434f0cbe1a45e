// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.google.GoogleBackEnd;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class GoogleObjectStoreTest extends RemoteObjectStoreSuite {
    @Override
    RemoteBackEnd backEnd() throws IOException {
        return new GoogleBackEnd();
    }

    @Test
    void itIsFoundByItsScheme() {
        try (ObjectStore store =
                ObjectStores.open("gs://bucket/a", Optional.of("http://127.0.0.1:1"), Optional.empty())) {
            assertThat(store.describe()).isEqualTo("gs://bucket/a at http://127.0.0.1:1");
        }
        assertThatThrownBy(() -> ObjectStores.open("gs://", Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("gs://bucket/prefix");
    }
}
