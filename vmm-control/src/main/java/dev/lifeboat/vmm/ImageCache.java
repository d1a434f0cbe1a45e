// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.store.BaseImages;
import dev.lifeboat.vmm.device.DiskImage;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The base images on this host, one file each, named by content and shared by all its VMs. A file gets its name when it
 * is whole, so processes need not agree with each other. Any thread.
 */
final class ImageCache {
    private static final Logger LOG = LoggerFactory.getLogger(ImageCache.class);

    private static final String PART = ".part";
    /** Nobody writes an image for so long: who began it has died. */
    private static final Duration OLDEST_PART = Duration.ofDays(1);

    private final Path directory;

    ImageCache(Path directory) {
        this.directory = directory;
    }

    /**
     * Takes an image that a user named: a later change of the user's file changes no VM.
     *
     * @param store gets it when it does not have it
     */
    DiskImage.Base adopt(Path image, Optional<BaseImages> store) {
        long startedNs = System.nanoTime();
        FileTime readAt = modifiedAt(image);
        if (image.toFile().length() == 0) {
            throw new VmmException("the base image " + image + " is empty: for a disk of zeroes leave base= out");
        }
        String id = BaseImages.idOf(image);
        Path cached = cached(id);
        if (!Files.exists(cached)) {
            complete(id, part -> copy(image, readAt, part));
        }
        boolean sent = store.isPresent() && store.get().publish(id, cached);
        LOG.info(
                "base image {} is {}{}, ready after {} ms",
                image,
                id,
                sent ? ", now in the store" : "",
                (System.nanoTime() - startedNs) / 1_000_000);
        return new DiskImage.Base(id, cached.toString());
    }

    /** The image from this host, or from the store. */
    DiskImage.Base get(String id, BaseImages store) {
        Path cached = cached(id);
        if (!Files.exists(cached)) {
            long startedNs = System.nanoTime();
            complete(id, part -> store.fetch(id, part));
            LOG.info("base image {} fetched in {} ms", id, (System.nanoTime() - startedNs) / 1_000_000);
        }
        return new DiskImage.Base(id, cached.toString());
    }

    private Path cached(String id) {
        return directory.resolve(id + ".img");
    }

    private interface Maker {
        void make(Path file) throws IOException;
    }

    private void complete(String id, Maker maker) {
        Path part = directory.resolve(id + "." + UUID.randomUUID() + PART);
        try {
            Files.createDirectories(directory);
            removeOldParts();
            maker.make(part);
            Files.move(part, cached(id), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new VmmException("cannot keep the base image in " + directory + ": " + e, e);
        } finally {
            remove(part);
        }
    }

    /** When this copies something else than {@link #adopt} has read, the file's time tells. */
    private static void copy(Path image, FileTime readAt, Path part) throws IOException {
        Files.copy(image, part);
        // The rename that follows forces out no data: after a power cut the image could have its name and no content.
        try (FileChannel copied = FileChannel.open(part, StandardOpenOption.WRITE)) {
            copied.force(true);
        }
        if (!Files.getLastModifiedTime(image).equals(readAt)) {
            throw new VmmException("the base image " + image + " changed while it was copied: start the VM again");
        }
    }

    private static FileTime modifiedAt(Path image) {
        try {
            return Files.getLastModifiedTime(image);
        } catch (IOException e) {
            throw new VmmException("cannot read the base image " + image + ": " + e, e);
        }
    }

    private void removeOldParts() throws IOException {
        Instant oldest = Instant.now().minus(OLDEST_PART);
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(directory, "*" + PART)) {
            for (Path part : parts) {
                if (part.toFile().lastModified() < oldest.toEpochMilli()) {
                    remove(part);
                }
            }
        }
    }

    private static void remove(Path part) {
        try {
            Files.deleteIfExists(part);
        } catch (IOException e) {
            LOG.warn("cannot remove {}: {}", part, e.getMessage());
        }
    }
}
