// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The S3 client against a server that is not ours; {@code S3ObjectStoreTest} has the faults. */
class S3ProxyObjectStoreTest extends ObjectStoreSuite {
    @TempDir
    Path directory;

    private S3ProxyBackEnd proxy;

    @Override
    BackEnd backEnd() throws IOException {
        proxy = new S3ProxyBackEnd(directory);
        return proxy;
    }

    @Test
    void refusalsAreExplained() {
        try (ObjectStore missing = proxy.openMissing("other")) {
            assertThatThrownBy(() -> missing.list("", 1)).hasMessageContaining("there is no bucket 'other'");
        }
        try (ObjectStore refused = proxy.openRefused().orElseThrow()) {
            assertThatThrownBy(() -> refused.list("", 1))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("access denied");
        }
    }
}
