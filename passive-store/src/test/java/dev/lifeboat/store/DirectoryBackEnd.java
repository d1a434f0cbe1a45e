// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.FaultyFiles.Fault;
import java.nio.file.Path;
import java.util.List;

/** A directory of a test. */
final class DirectoryBackEnd implements BackEnd {
    private final Path root;
    private final FaultyFiles files = new FaultyFiles();

    DirectoryBackEnd(Path root) {
        this.root = root;
    }

    @Override
    public ObjectStore open() {
        return new DirectoryObjectStore(root, files);
    }

    @Override
    public List<Trouble> troubles() {
        return List.of(
                trouble("disk full once", Fault.DISK_FULL, 1),
                trouble("disk full for good", Fault.DISK_FULL, 100),
                trouble("fsync of a file fails once", Fault.FILE_SYNC, 1),
                trouble("fsync of files fails", Fault.FILE_SYNC, 100),
                trouble("fsync of a directory fails once", Fault.DIRECTORY_SYNC, 1),
                trouble("fsync of directories fails", Fault.DIRECTORY_SYNC, 100),
                trouble("slow writes", Fault.SLOW, 3));
    }

    private Trouble trouble(String name, Fault fault, int times) {
        return new Trouble(name, place -> files.begin(fault, place, times));
    }

    @Override
    public boolean hasStruck() {
        return files.hasStruck();
    }

    @Override
    public void calm() {
        files.begin(Fault.NONE, Trouble.Place.SEGMENT, 0);
    }

    @Override
    public void close() {
        // The test's temporary directory is removed with the test.
    }
}
