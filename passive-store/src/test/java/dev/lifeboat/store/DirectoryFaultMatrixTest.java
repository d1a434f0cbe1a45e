// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class DirectoryFaultMatrixTest extends FaultMatrixSuite {
    @TempDir
    Path directory;

    @Override
    BackEnd backEnd() {
        return new DirectoryBackEnd(directory.resolve("store"));
    }
}
