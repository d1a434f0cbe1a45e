// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Objects as files under a directory: a mounted data volume, or one that several hosts reach (NFS, 9p). A file is
 * written and fsynced under {@code .tmp/} and then gets its name at once: by rename for {@link #put}, by a hard link
 * for {@link #putIfAbsent}, because link(2) is atomic among all clients and never replaces. The directory is fsynced
 * after that. Thread-safe; any number of processes may share the directory.
 *
 * <p>Time limits are those of the file system: a hard NFS mount without its server blocks the calling thread.
 */
final class DirectoryObjectStore implements ObjectStore {
    private static final Logger LOG = LoggerFactory.getLogger(DirectoryObjectStore.class);
    private static final String TEMPORARY = ".tmp";
    /** No object is that long in the writing, and no two clocks differ by that. */
    private static final long LEFTOVER_MS = TimeUnit.DAYS.toMillis(1);

    private final Path root;
    private final FileOpener opener;

    DirectoryObjectStore(Path root) {
        this(root, FileOpener.REAL);
    }

    DirectoryObjectStore(Path root, FileOpener opener) {
        this(root, opener, true);
    }

    private DirectoryObjectStore(Path root, FileOpener opener, boolean create) {
        this.root = root;
        this.opener = opener;
        if (!create) {
            return;
        }
        try {
            Files.createDirectories(root.resolve(TEMPORARY));
        } catch (IOException e) {
            throw failure("cannot use " + root + " as a store", e, 0);
        }
        removeLeftovers();
    }

    /** What writers that crashed did not get to name. Nothing depends on it, so no failure of it is one of the caller's. */
    private void removeLeftovers() {
        long oldest = System.currentTimeMillis() - LEFTOVER_MS;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(root.resolve(TEMPORARY))) {
            for (Path file : files) {
                if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        && Files.getLastModifiedTime(file).toMillis() < oldest) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (NoSuchFileException e) {
            return; // another process removes them, too
        } catch (IOException | DirectoryIteratorException e) {
            LOG.warn("leftovers stay under {}: {}", root.resolve(TEMPORARY), e.toString());
        }
    }

    /** For tools: a directory that is there, is left as it is by reading, and may be mounted read-only. */
    static DirectoryObjectStore openExisting(Path root) {
        if (!Files.isDirectory(root)) {
            throw new StoreException("there is no store at dir:" + root + ": "
                    + (Files.exists(root) ? "it is not a directory" : "no such directory") + "; correct the URL");
        }
        if (!Files.isReadable(root) || !Files.isExecutable(root)) {
            throw new StoreException(
                    "cannot read the store at dir:" + root + ": no permission; give this user access to the directory");
        }
        return new DirectoryObjectStore(root, FileOpener.REAL, false);
    }

    @Override
    public void put(String key, ByteBuffer content) {
        Path target = file(key);
        Path temporary = write(key, content);
        try {
            makeParents(target);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            opener.syncDirectory(target.getParent());
        } catch (IOException e) {
            remove(temporary);
            throw failure("cannot write " + target, e, content.remaining());
        }
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        Path target = file(key);
        if (Files.exists(target)) {
            return Put.EXISTS;
        }
        Path temporary = write(key, content);
        try {
            makeParents(target);
            Files.createLink(target, temporary);
            opener.syncDirectory(target.getParent());
            return Put.CREATED;
        } catch (FileAlreadyExistsException e) {
            return Put.EXISTS;
        } catch (UnsupportedOperationException e) {
            throw new StoreException(
                    "the file system of " + root + " has no hard links, which the store needs to create"
                            + " an object exactly once: use another file system",
                    e);
        } catch (IOException e) {
            throw failure("cannot create " + target, e, content.remaining());
        } finally {
            remove(temporary);
        }
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        Path file = file(key);
        try {
            return Optional.of(ByteBuffer.wrap(Files.readAllBytes(file)));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw failure("cannot read " + file, e, 0);
        }
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        Path file = file(key);
        int limit = into.limit();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            into.limit(into.position() + length);
            long at = offset;
            while (into.hasRemaining()) {
                int read = channel.read(into, at);
                if (read < 0) {
                    throw new EOFException("it ends at " + channel.size() + ", before " + (offset + length));
                }
                at += read;
            }
        } catch (NoSuchFileException e) {
            throw new DamagedObjectException("object " + key + " is missing in " + describe(), e);
        } catch (EOFException e) {
            throw new DamagedObjectException(
                    "object " + key + " in " + describe() + " is truncated: " + e.getMessage(), e);
        } catch (IOException e) {
            throw failure("cannot read " + file, e, 0);
        } finally {
            into.limit(limit);
        }
    }

    @Override
    public List<Entry> entries(String prefix, int limit) {
        // The deepest directory that holds every key with this prefix.
        Path start = root.resolve(prefix.substring(0, prefix.lastIndexOf('/') + 1));
        List<Entry> found = new ArrayList<>();
        if (!Files.isDirectory(start)) {
            return found;
        }
        try {
            Files.walkFileTree(start, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                    return directory.equals(root.resolve(TEMPORARY))
                            ? FileVisitResult.SKIP_SUBTREE
                            : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    String key = root.relativize(file).toString();
                    if (key.startsWith(prefix)) {
                        found.add(new Entry(
                                key,
                                attributes.size(),
                                attributes.lastModifiedTime().toMillis()));
                    }
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                    if (e instanceof NoSuchFileException) {
                        return FileVisitResult.CONTINUE; // deleted meanwhile
                    }
                    throw e;
                }
            });
        } catch (IOException e) {
            throw failure("cannot list " + start, e, 0);
        }
        found.sort(Comparator.comparing(Entry::key));
        return found.size() > limit ? new ArrayList<>(found.subList(0, limit)) : found;
    }

    @Override
    public void delete(String key) {
        Path file = file(key);
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw failure("cannot delete " + file, e, 0);
        }
    }

    @Override
    public String describe() {
        return "dir:" + root;
    }

    @Override
    public void close() {
        // Nothing is held open between calls.
    }

    private Path file(String key) {
        return root.resolve(Keys.check(key));
    }

    private Path write(String key, ByteBuffer content) {
        Path temporary = root.resolve(TEMPORARY).resolve(UUID.randomUUID().toString());
        ByteBuffer rest = content.duplicate();
        boolean written = false;
        try {
            // A store that was copied may be without it.
            Files.createDirectories(temporary.getParent());
        } catch (IOException e) {
            throw failure("cannot write " + key, e, 0);
        }
        try (FileOpener.OpenFile file = opener.createNew(temporary)) {
            while (rest.hasRemaining()) {
                file.write(rest);
            }
            file.force();
            written = true;
        } catch (IOException e) {
            throw failure("cannot write " + key, e, content.remaining());
        } finally {
            if (!written) {
                remove(temporary);
            }
        }
        return temporary;
    }

    /** New directories are made durable from the top down, each in its parent. */
    private void makeParents(Path target) throws IOException {
        Path parent = target.getParent();
        if (Files.isDirectory(parent)) {
            return;
        }
        makeParents(parent);
        try {
            Files.createDirectory(parent);
        } catch (FileAlreadyExistsException e) {
            return; // another writer was faster
        }
        opener.syncDirectory(parent.getParent());
    }

    private static void remove(Path temporary) {
        try {
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            // A leftover in .tmp is never read; the failure that matters is already on its way to the caller.
            return;
        }
    }

    private StoreException failure(String attempt, IOException e, long neededBytes) {
        if (isFull(e, neededBytes)) {
            return new StoreException(
                    "disk full under " + root + " (" + attempt + "): free space or enlarge the volume; the VM keeps"
                            + " running, but no epoch is committed until then",
                    e);
        }
        if (e instanceof AccessDeniedException || messageHas(e, "Read-only file system")) {
            return new StoreException(
                    attempt + ": no permission to write (" + reason(e) + "); mount " + root
                            + " writable and give this user access",
                    e);
        }
        return new StoreException(attempt + ": " + reason(e), e);
    }

    private boolean isFull(IOException e, long neededBytes) {
        if (messageHas(e, "No space left") || messageHas(e, "quota exceeded")) {
            return true;
        }
        // The message follows the locale; free space does not.
        try {
            return neededBytes > 0 && Files.getFileStore(root).getUsableSpace() < neededBytes;
        } catch (IOException unknown) {
            return false;
        }
    }

    private static boolean messageHas(IOException e, String part) {
        return e.getMessage() != null && e.getMessage().contains(part);
    }

    private static String reason(IOException e) {
        return e.getClass() == IOException.class ? String.valueOf(e.getMessage()) : e.toString();
    }
}
