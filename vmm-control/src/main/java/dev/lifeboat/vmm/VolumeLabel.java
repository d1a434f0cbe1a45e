// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * The file in a volume's root that says which one it is. It shows that a directory is the volume and not the empty
 * mount point below it, to a process that has not mounted it itself. Any thread.
 */
public final class VolumeLabel {
    static final String FILE = "lifeboat-volume.json";
    private static final int VERSION = 1;

    private record Content(int version, String fleet, String volume) {
        static Content of(VmmConfig.Volume volume) {
            return new Content(VERSION, volume.fleet(), volume.id());
        }
    }

    private VolumeLabel() {}

    /** @throws VmmException when what lies at the mount point is not this volume */
    public static void require(VmmConfig.Volume volume) {
        Path file = Path.of(volume.mountPoint(), FILE);
        String refusal = "what is at " + volume.mountPoint() + " is not volume " + volume.id() + " of fleet "
                + volume.fleet() + ", and nothing is written to it: ";
        Content found;
        try {
            found = Json.MAPPER.readValue(Files.readAllBytes(file), Content.class);
        } catch (NoSuchFileException e) {
            throw new VmmException(refusal + "there is no " + FILE + "; is the volume mounted?", e);
        } catch (IOException e) {
            throw new VmmException(refusal + "its " + FILE + " cannot be read: " + e.getMessage(), e);
        }
        if (!found.equals(Content.of(volume))) {
            throw new VmmException(refusal + "it says " + found.volume() + " of fleet " + found.fleet()
                    + "; correct \"id\" or \"fleet\"");
        }
    }

    /** For a volume that was just formatted; durable on return. */
    public static void write(VmmConfig.Volume volume) throws IOException {
        Path root = Path.of(volume.mountPoint());
        Path fresh = root.resolve(FILE + ".new");
        Files.write(fresh, Json.MAPPER.writeValueAsBytes(Content.of(volume)));
        try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        Files.move(fresh, root.resolve(FILE), StandardCopyOption.ATOMIC_MOVE);
        try (FileChannel directory = FileChannel.open(root, StandardOpenOption.READ)) {
            directory.force(true);
        }
    }
}
