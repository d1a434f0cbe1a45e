// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.azure.AzureBackEnd;
import dev.lifeboat.store.azure.AzuriteServer;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

class AzureBlobVmStoreTest extends VmStoreSuite {
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
    BackEnd backEnd() throws IOException {
        return new AzureBackEnd(server);
    }

    @Override
    int histories() {
        return 3;
    }

    @Override
    int races() {
        return 25;
    }
}
