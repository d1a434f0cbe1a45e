// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.file.Path;
import java.util.Optional;

/** A directory of a test. */
final class DirectoryBackEnd implements BackEnd {
    final Path root;

    DirectoryBackEnd(Path root) {
        this.root = root;
    }

    @Override
    public ObjectStore open() {
        return ObjectStores.open("dir:" + root, Optional.empty(), Optional.empty());
    }

    @Override
    public void close() {
        // The test's temporary directory is removed with the test.
    }
}
