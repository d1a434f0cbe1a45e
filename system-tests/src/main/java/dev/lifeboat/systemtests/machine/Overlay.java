// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * Files that one machine gets on top of the common image: a newc archive, which the image's init unpacks over the root
 * file system. Collects first, so that nothing is written when a source file is missing.
 */
public final class Overlay {

    /** QEMU counts a raw disk in sectors. */
    private static final int SECTOR_BYTES = 512;

    /** Of the files that have no source: any time does, and one time makes equal content an equal archive. */
    private static final long MADE_HERE_SECONDS = 1_767_225_600L;

    private record Entry(int mode, byte[] content, Path source) {}

    private final Map<String, Entry> entries = new LinkedHashMap<>();

    public Overlay file(String path, byte[] content) {
        entries.put(relative(path), new Entry(0644, content, null));
        return this;
    }

    public Overlay text(String path, String content) {
        return file(path, content.getBytes(StandardCharsets.UTF_8));
    }

    public Overlay script(String path, String content) {
        entries.put(relative(path), new Entry(0755, content.getBytes(StandardCharsets.UTF_8), null));
        return this;
    }

    public Overlay copy(String path, Path source) throws IOException {
        if (!Files.isReadable(source)) {
            throw new IOException(source + " is missing or not readable; it belongs at " + path + " in the machine");
        }
        entries.put(relative(path), new Entry(0644, null, source));
        return this;
    }

    /** Every regular file directly in {@code source}. */
    public Overlay copyDirectory(String path, Path source) throws IOException {
        List<Path> files;
        try (Stream<Path> list = Files.list(source)) {
            files = list.filter(Files::isRegularFile).sorted().toList();
        }
        for (Path file : files) {
            copy(path + "/" + file.getFileName(), file);
        }
        return this;
    }

    private static String relative(String path) {
        return path.startsWith("/") ? path.substring(1) : path;
    }

    /** Writes the archive, padded to whole disk sectors. */
    public void write(Path archive) throws IOException {
        try (OutputStream file = new BufferedOutputStream(Files.newOutputStream(archive));
                CpioArchiveOutputStream cpio = new CpioArchiveOutputStream(
                        file, CpioConstants.FORMAT_NEW, SECTOR_BYTES, StandardCharsets.UTF_8.name())) {
            long inode = 1;
            for (String directory : directories()) {
                CpioArchiveEntry entry = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, directory);
                entry.setMode(CpioConstants.C_ISDIR | 0755);
                // Without numbers of their own, equal (device, inode) pairs would read as hard links.
                entry.setInode(inode++);
                entry.setNumberOfLinks(2);
                cpio.putArchiveEntry(entry);
                cpio.closeArchiveEntry();
            }
            for (Map.Entry<String, Entry> file1 : entries.entrySet()) {
                write(cpio, file1.getKey(), file1.getValue(), inode++);
            }
        }
    }

    private static void write(CpioArchiveOutputStream cpio, String name, Entry entry, long inode) throws IOException {
        long size = entry.content() != null ? entry.content().length : Files.size(entry.source());
        CpioArchiveEntry header = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, name, size);
        header.setMode(CpioConstants.C_ISREG | entry.mode());
        header.setInode(inode);
        header.setNumberOfLinks(1);
        // Class-data sharing takes an archive only beside jars of the same time.
        header.setTime(
                entry.content() != null
                        ? MADE_HERE_SECONDS
                        : Files.getLastModifiedTime(entry.source()).to(TimeUnit.SECONDS));
        cpio.putArchiveEntry(header);
        if (entry.content() != null) {
            cpio.write(entry.content());
        } else {
            try (InputStream in = Files.newInputStream(entry.source())) {
                in.transferTo(cpio);
            }
        }
        cpio.closeArchiveEntry();
    }

    private TreeSet<String> directories() {
        TreeSet<String> directories = new TreeSet<>();
        for (String name : entries.keySet()) {
            for (int slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
                directories.add(name.substring(0, slash));
            }
        }
        return directories;
    }
}
