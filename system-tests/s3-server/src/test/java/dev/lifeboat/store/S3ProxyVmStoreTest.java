// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class S3ProxyVmStoreTest extends VmStoreSuite {
    @TempDir
    Path directory;

    @Override
    BackEnd backEnd() throws IOException {
        return new S3ProxyBackEnd(directory);
    }

    @Override
    int histories() {
        return 3;
    }

    @Override
    int races() {
        return 50;
    }
}
