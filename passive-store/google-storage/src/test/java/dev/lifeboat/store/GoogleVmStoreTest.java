// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.google.GoogleBackEnd;
import java.io.IOException;

class GoogleVmStoreTest extends VmStoreSuite {
    @Override
    BackEnd backEnd() throws IOException {
        return new GoogleBackEnd();
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
