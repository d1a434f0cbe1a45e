// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/**
 * What must be known after a crash: one JSON file a record in one directory. A record that {@link #put} has returned from
 * is on the disk, whole; a crash inside of it leaves the one before. Any thread, but one a record at a time.
 */
final class JsonJournal<T> {
    private static final String ENDING = ".json";

    private final Path directory;
    private final Class<T> type;

    JsonJournal(Path directory, Class<T> type) {
        this.directory = directory;
        this.type = type;
        try {
            Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw failed("make", directory, e);
        }
    }

    void put(String id, T record) {
        Path fresh = directory.resolve(id + ".new");
        try {
            try (FileChannel file = FileChannel.open(
                    fresh, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                ByteBuffer bytes = ByteBuffer.wrap(Json.MAPPER.writeValueAsBytes(record));
                while (bytes.hasRemaining()) {
                    file.write(bytes);
                }
                file.force(true);
            }
            Files.move(fresh, file(id), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            syncDirectory();
        } catch (IOException e) {
            throw failed("write", file(id), e);
        }
    }

    void remove(String id) {
        try {
            if (Files.deleteIfExists(file(id))) {
                syncDirectory();
            }
        } catch (IOException e) {
            throw failed("remove", file(id), e);
        }
    }

    /** @throws ControlException naming the file that is damaged: forgetting it could leak what it stands for */
    List<T> all() {
        List<T> records = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + ENDING)) {
            for (Path file : files) {
                records.add(Json.readFile(file, type));
            }
        } catch (IOException e) {
            throw failed("read", directory, e);
        } catch (IllegalArgumentException e) {
            throw new ControlException(
                    ExitCode.FAILED,
                    "the controller's journal is damaged: " + e.getMessage()
                            + "; look in the cloud for what it stands for, then remove the file",
                    e);
        }
        return records;
    }

    private Path file(String id) {
        return directory.resolve(id + ENDING);
    }

    /** A rename is durable when its directory is (fsync(2)). */
    private void syncDirectory() throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static ControlException failed(String what, Path path, IOException e) {
        return new ControlException(
                ExitCode.FAILED,
                "cannot " + what + " " + path + " of the controller's journal: " + e.getMessage()
                        + "; without it nothing is bought or moved",
                e);
    }
}
