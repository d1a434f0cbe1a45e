// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.azure.AzureBackEnd;
import dev.lifeboat.store.azure.AzuriteServer;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class AzureBlobObjectStoreTest extends RemoteObjectStoreSuite {
    private static AzuriteServer server;

    @BeforeAll
    static void start() throws IOException {
        server = AzuriteServer.start();
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (server != null) {
            server.close();
        }
    }

    @Override
    RemoteBackEnd backEnd() throws IOException {
        return new AzureBackEnd(server);
    }

    @Test
    void urlsThatMakeNoSenseAreExplained() {
        for (String url : new String[] {"azblob://account", "azblob://", "azblob://me:key@account/c"}) {
            assertThatThrownBy(() -> ObjectStores.open(url, Optional.empty(), Optional.empty()))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("azblob://account/container/prefix");
        }
    }
}
