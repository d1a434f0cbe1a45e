// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.DataPages;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;
import dev.lifeboat.stream.RangeConsumer;
import dev.lifeboat.stream.StreamedDisk;
import java.util.Optional;

/**
 * What is on a disk: a raw file or block device, or a sparse file over a read-only base image, in blocks of 4 KiB. The
 * device's thread reads and writes; encoders and the store's readers use the {@link StreamedDisk} side at the same time.
 *
 * <p>A write first reaches the file, then the block counts as present (is not the base's any more), then it is dirty:
 * whoever sees a mark and then reads finds the write. A block that is present stays so. Which blocks are present is known
 * in memory only: a process that goes on with a VM makes a new file and fills it from the store.
 */
public final class DiskImage implements StreamedDisk, AutoCloseable {
    private static final int BLOCK_BYTES = GuestMemory.PAGE_BYTES;
    private static final int SECTOR_BYTES = VirtioBlock.SECTOR_BYTES;
    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0100;
    private static final int O_TRUNC = 01000;
    private static final int O_CLOEXEC = 0x80000;
    private static final int OWNER_ONLY = 0600;
    private static final int SEEK_END = 2;
    private static final int NO_FILE = -1;

    private final String path;
    private final int fd;
    private final long sizeBytes;
    private final boolean readOnly;
    private final Optional<Base> base;
    private final int baseFd;
    private final long baseBytes;
    /** Blocks that are in the file and not the base's; unused without a base. */
    private final PageBitmap present;

    private final PageBitmap dirty;
    /** For copying a block up from the base; the device's thread. */
    private final long scratch = NativeMemory.allocate(BLOCK_BYTES);

    private final long zeroes = NativeMemory.allocate(BLOCK_BYTES);
    private boolean closed;

    /** A base image by its content, {@code sha256-<hex>}, and the file that holds it on this host. */
    public record Base(String id, String path) {}

    /**
     * A raw file or block device as it is.
     *
     * @throws DeviceException when it cannot be opened or is smaller than a sector
     */
    public static DiskImage open(String path, boolean readOnly) {
        try {
            int fd = Libc.check(Libc.open(path, (readOnly ? 0 : O_RDWR) | O_CLOEXEC, 0), "open", path);
            try {
                long sizeBytes = Libc.check(Libc.lseek(fd, 0, SEEK_END), "lseek", path);
                if (sizeBytes < SECTOR_BYTES) {
                    throw new DeviceException("the disk " + path + " has " + sizeBytes
                            + " bytes, a disk needs 512 at least: make it with truncate -s SIZE");
                }
                return new DiskImage(
                        path, fd, sizeBytes / SECTOR_BYTES * SECTOR_BYTES, readOnly, Optional.empty(), NO_FILE, 0);
            } catch (RuntimeException e) {
                Libc.close(fd);
                throw e;
            }
        } catch (LinuxException e) {
            throw new DeviceException(
                    "cannot use the disk " + path + ": " + e.getMessage()
                            + ": check that it exists and that this user may "
                            + (readOnly ? "read it" : "write it, or attach it read-only"),
                    e);
        }
    }

    /**
     * A new disk in a new sparse file: as its base image, or zeroes.
     *
     * @param sizeBytes a multiple of 512; what it has more than its base is zero
     */
    public static DiskImage create(String path, long sizeBytes, Optional<Base> base) {
        if (sizeBytes < SECTOR_BYTES || sizeBytes % SECTOR_BYTES != 0) {
            throw new DeviceException("a disk of " + sizeBytes + " bytes: its size must be a multiple of 512");
        }
        int fd = NO_FILE;
        int baseFd = NO_FILE;
        boolean complete = false;
        try {
            fd = Libc.check(Libc.open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, OWNER_ONLY), "open", path);
            Libc.check(Libc.ftruncate(fd, sizeBytes), "ftruncate", path + ", " + sizeBytes);
            long baseBytes = 0;
            if (base.isPresent()) {
                String image = base.get().path();
                baseFd = Libc.check(Libc.open(image, O_CLOEXEC, 0), "open", image);
                baseBytes = Libc.check(Libc.lseek(baseFd, 0, SEEK_END), "lseek", image);
                if (baseBytes > sizeBytes) {
                    throw new DeviceException("a disk of " + sizeBytes + " bytes is smaller than its base image "
                            + image + " of " + baseBytes + ": give it at least that size");
                }
            }
            DiskImage made = new DiskImage(path, fd, sizeBytes, false, base, baseFd, baseBytes);
            complete = true;
            return made;
        } catch (LinuxException e) {
            throw new DeviceException(
                    "cannot make the disk " + path + ": " + e.getMessage() + ": check the directory and its free space",
                    e);
        } finally {
            if (!complete) {
                closeFiles(fd, baseFd);
            }
        }
    }

    /** Takes over {@code fd} and {@code baseFd}. */
    DiskImage(String path, int fd, long sizeBytes, boolean readOnly, Optional<Base> base, int baseFd, long baseBytes) {
        this.path = path;
        this.fd = fd;
        this.sizeBytes = sizeBytes;
        this.readOnly = readOnly;
        this.base = base;
        this.baseFd = baseFd;
        this.baseBytes = baseBytes;
        present = new PageBitmap(base.isPresent() ? blocks() : 0);
        dirty = new PageBitmap(blocks());
        NativeMemory.fill(zeroes, BLOCK_BYTES, (byte) 0);
    }

    public long sizeBytes() {
        return sizeBytes;
    }

    public boolean readOnly() {
        return readOnly;
    }

    // The device's side.

    /**
     * As preadv(2) on the disk, into the entries {@code [first, end)}, which lie inside of it: how many bytes, perhaps not
     * all, or negative with errno set.
     */
    long preadv(IoVectors vectors, int first, int end, long offset, long lengthBytes) {
        long extent = extent(offset, lengthBytes);
        int file = isBase(offset) ? baseFd : fd;
        if (extent == lengthBytes) {
            return Libc.preadv(file, vectors.address(first), end - first, offset);
        }
        int entry = first;
        while (vectors.lengthBytes(entry) == 0) {
            entry++;
        }
        return Libc.pread(file, vectors.hostAddress(entry), Math.min(extent, vectors.lengthBytes(entry)), offset);
    }

    /**
     * Writes the entries {@code [first, end)}, {@code lengthBytes} together, which lie inside the disk; they are used up.
     *
     * @throws LinuxException when not all could be written; what was, is noted
     */
    void write(IoVectors vectors, int first, int end, long offset, long lengthBytes) {
        long done = 0;
        try {
            if (base.isPresent() && lengthBytes > 0) {
                copyUp(offset);
                copyUp(offset + lengthBytes);
            }
            while (done < lengthBytes) {
                long put = Libc.pwritev(fd, vectors.address(first), end - first, offset + done);
                if (put < 0 && Libc.errno() == Errno.EINTR) {
                    continue;
                }
                Libc.check(put, "pwritev", path);
                if (put == 0) {
                    throw new LinuxException("pwritev", path + ", which takes nothing", Errno.ENOSPC);
                }
                vectors.trimFront(first, put);
                done += put;
            }
        } finally {
            noteWritten(offset, lengthBytes, done);
        }
    }

    /** Brings a block that a write will change in part over from the base, before the write. */
    private void copyUp(long offset) {
        long start = offset - offset % BLOCK_BYTES;
        if (offset == start || !isBase(start)) {
            return;
        }
        read(start / BLOCK_BYTES, 1, scratch);
        putFully(start, scratch, Math.min(BLOCK_BYTES, sizeBytes - start));
        present.set(start / BLOCK_BYTES);
    }

    /** After the write, see the class. A write that failed may have reached any block of its range. */
    private void noteWritten(long offset, long lengthBytes, long writtenBytes) {
        if (lengthBytes == 0) {
            return;
        }
        long last = (offset + lengthBytes - 1) / BLOCK_BYTES;
        for (long block = offset / BLOCK_BYTES; block <= last; block++) {
            if (base.isPresent()
                    && Math.min((block + 1) * BLOCK_BYTES, offset + lengthBytes) <= offset + writtenBytes) {
                present.set(block);
            }
            if (base.isEmpty() || present.get(block)) {
                dirty.set(block);
            }
        }
    }

    /** Makes durable what was written; negative with errno set when that failed. */
    int fdatasync() {
        return Libc.fdatasync(fd);
    }

    // The streaming side.

    @Override
    public long blocks() {
        return (sizeBytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    }

    @Override
    public Optional<String> baseImage() {
        return base.map(Base::id);
    }

    @Override
    public PageBitmap dirtyBlocks() {
        return dirty;
    }

    @Override
    public void forEachRange(RangeConsumer consumer) {
        if (base.isPresent()) {
            forEachPresent(consumer);
            return;
        }
        try {
            DataPages.forEachRange(fd, sizeBytes, path, consumer);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EINVAL) {
                throw e;
            }
            // A block device: it knows no holes.
            consumer.accept(0, blocks());
        }
    }

    private void forEachPresent(RangeConsumer consumer) {
        long start = -1;
        for (long block = 0; block < blocks(); block++) {
            if (present.get(block)) {
                start = start < 0 ? block : start;
            } else if (start >= 0) {
                consumer.accept(start, block - start);
                start = -1;
            }
        }
        if (start >= 0) {
            consumer.accept(start, blocks() - start);
        }
    }

    @Override
    public void read(long firstBlock, int count, long address) {
        long offset = firstBlock * BLOCK_BYTES;
        long lengthBytes = (long) count * BLOCK_BYTES;
        long inside = Math.min(lengthBytes, sizeBytes - offset);
        long done = 0;
        while (done < inside) {
            long extent = extent(offset + done, inside - done);
            int file = isBase(offset + done) ? baseFd : fd;
            long got = Libc.pread(file, address + done, extent, offset + done);
            if (got < 0 && Libc.errno() == Errno.EINTR) {
                continue;
            }
            if (Libc.check(got, "pread", path + " at " + (offset + done)) == 0) {
                throw new DeviceException("the disk " + path + " has become shorter than " + sizeBytes + " bytes");
            }
            done += got;
        }
        NativeMemory.fill(address + inside, lengthBytes - inside, (byte) 0);
    }

    @Override
    public void fill(long firstBlock, int count, long address) {
        for (int i = 0; i < count; i++) {
            long offset = (firstBlock + i) * BLOCK_BYTES;
            long from = address == 0 ? zeroes : address + (long) i * BLOCK_BYTES;
            putFully(offset, from, Math.min(BLOCK_BYTES, sizeBytes - offset));
            if (base.isPresent()) {
                present.set(firstBlock + i);
            }
        }
    }

    private void putFully(long offset, long address, long lengthBytes) {
        long done = 0;
        while (done < lengthBytes) {
            long put = Libc.pwrite(fd, address + done, lengthBytes - done, offset + done);
            if (put < 0 && Libc.errno() == Errno.EINTR) {
                continue;
            }
            if (Libc.check(put, "pwrite", path + " at " + (offset + done)) == 0) {
                throw new DeviceException("the disk " + path + " takes nothing: is its file system full?");
            }
            done += put;
        }
    }

    private boolean isBase(long offset) {
        return offset < baseBytes && !present.get(offset / BLOCK_BYTES);
    }

    /** How many bytes from {@code offset} on come from the same file. */
    private long extent(long offset, long lengthBytes) {
        if (base.isEmpty()) {
            return lengthBytes;
        }
        boolean fromBase = isBase(offset);
        long end = offset + lengthBytes;
        long limit = fromBase ? Math.min(end, baseBytes) : end;
        long at = (offset / BLOCK_BYTES + 1) * BLOCK_BYTES;
        while (at < limit && isBase(at) == fromBase) {
            at += BLOCK_BYTES;
        }
        return Math.min(at, limit) - offset;
    }

    private static void closeFiles(int fd, int baseFd) {
        if (fd != NO_FILE) {
            Libc.close(fd);
        }
        if (baseFd != NO_FILE) {
            Libc.close(baseFd);
        }
    }

    /** After whoever reads it has stopped. Idempotent. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            closeFiles(fd, baseFd);
            NativeMemory.free(scratch);
            NativeMemory.free(zeroes);
        }
    }
}
