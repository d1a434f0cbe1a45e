// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import java.util.ArrayList;
import java.util.List;

/**
 * The RAM of one guest: a memfd mapped shared and never on the heap. Guest physical memory has a hole below 4 GiB
 * ({@link #GAP_START} to {@link #GAP_END}) for devices; <em>page numbers</em> have none: page {@code n} is the n-th
 * 4 KiB page of the memfd, and that is the number used by dirty logs, the store and the wire.
 *
 * <p>Any thread may use it. Writes through this class are noted in {@link #ownWrites()}, because KVM's dirty log does
 * not see writes by our own process (KVM api.rst, KVM_GET_DIRTY_LOG); whoever writes by raw address or lets the
 * kernel write (readv) calls {@link #markWritten}.
 */
public final class GuestMemory implements AutoCloseable {
    public static final int PAGE_BYTES = 4096;
    /** RAM below 4 GiB ends here at the latest; the rest of it starts at {@link #GAP_END}. */
    public static final long GAP_START = 0xc000_0000L;

    public static final long GAP_END = 0x1_0000_0000L;

    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MFD_CLOEXEC = 1;
    private static final int PROT_NONE = 0;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
    private static final int MAP_FIXED = 0x10;
    private static final int MADV_HUGEPAGE = 14;
    /** A large page of x86-64. */
    private static final long LARGE_PAGE_BYTES = 2 << 20;

    /** A piece of RAM that is contiguous in guest physical addresses, in page numbers and in our address space. */
    public record Region(int slot, long guestAddress, long lengthBytes, long hostAddress, long firstPage) {
        boolean holds(long address, long length) {
            return address >= guestAddress && length <= lengthBytes && address - guestAddress <= lengthBytes - length;
        }
    }

    private final int fd;
    private final long base;
    private final long lengthBytes;
    private final List<Region> regions;
    private final PageBitmap ownWrites;
    private boolean closed;

    /**
     * Maps zeroed RAM.
     *
     * @param lengthBytes a multiple of 4096
     */
    public GuestMemory(long lengthBytes) {
        if (lengthBytes <= 0 || lengthBytes % PAGE_BYTES != 0) {
            throw new IllegalArgumentException(
                    "memory of " + lengthBytes + " bytes is not a positive multiple of 4096");
        }
        this.lengthBytes = lengthBytes;
        fd = Libc.check(Libc.memfd_create("lifeboat-guest", MFD_CLOEXEC), "memfd_create", "lifeboat-guest");
        long mapped = -1;
        try {
            Libc.check(Libc.ftruncate(fd, lengthBytes), "ftruncate", "guest memory, " + lengthBytes);
            mapped = mapWithLargePages(fd, lengthBytes);
        } finally {
            if (mapped == -1) {
                Libc.close(fd);
            }
        }
        base = mapped;
        List<Region> parts = new ArrayList<>();
        long low = Math.min(lengthBytes, GAP_START);
        parts.add(new Region(0, 0, low, base, 0));
        if (lengthBytes > low) {
            parts.add(new Region(1, GAP_END, lengthBytes - low, base + low, low / PAGE_BYTES));
        }
        regions = List.copyOf(parts);
        ownWrites = new PageBitmap(pages());
    }

    /**
     * Large pages where the host has them for shared memory ({@code transparent_hugepage/shmem_enabled} is {@code advise} or
     * {@code always}): the guest's first touch of 2 MiB costs one exit, not 512. They need our address, the place in the
     * memfd and the guest's address to agree modulo 2 MiB, and mmap(2) promises only 4 KiB.
     */
    private static long mapWithLargePages(int fd, long lengthBytes) {
        long reservedBytes = lengthBytes + LARGE_PAGE_BYTES;
        long reserved = Libc.check(
                Libc.mmap(0, reservedBytes, PROT_NONE, MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE, -1, 0),
                "mmap",
                "address space of guest memory, " + reservedBytes);
        long start = (reserved + LARGE_PAGE_BYTES - 1) & -LARGE_PAGE_BYTES;
        long mapped = Libc.mmap(start, lengthBytes, PROT_READ_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
        if (mapped == -1) {
            int errno = Libc.errno();
            Libc.munmap(reserved, reservedBytes);
            throw new LinuxException("mmap", "guest memory, " + lengthBytes, errno);
        }
        if (start > reserved) {
            Libc.munmap(reserved, start - reserved);
        }
        long after = start + lengthBytes;
        Libc.munmap(after, reserved + reservedBytes - after);
        // Advice: a kernel without it says EINVAL, and small pages do as well.
        Libc.madvise(start, lengthBytes, MADV_HUGEPAGE);
        return start;
    }

    public long lengthBytes() {
        return lengthBytes;
    }

    public long pages() {
        return lengthBytes / PAGE_BYTES;
    }

    /** One region, or two when there is memory above the gap; slot numbers are those of the KVM memory slots. */
    public List<Region> regions() {
        return regions;
    }

    public int memfd() {
        return fd;
    }

    /** The address of page {@code page}; pages follow one another in our address space without a hole. */
    public long pageAddress(long page) {
        if (page < 0 || page >= pages()) {
            throw new IndexOutOfBoundsException("page " + page + " of " + pages());
        }
        return base + page * PAGE_BYTES;
    }

    /** Pages written by our own process since they were last drained; the streamer drains it at each harvest. */
    public PageBitmap ownWrites() {
        return ownWrites;
    }

    /** Whether {@code [guestAddress, guestAddress + length)} is RAM within one region. */
    public boolean isRam(long guestAddress, long length) {
        for (Region region : regions) {
            if (length >= 0 && region.holds(guestAddress, length)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Our address of a guest physical range.
     *
     * @throws GuestAddressException when the range is not RAM; guests are hostile, callers let it reach the device
     */
    public long translate(long guestAddress, long length) {
        for (Region region : regions) {
            if (length >= 0 && region.holds(guestAddress, length)) {
                return region.hostAddress() + (guestAddress - region.guestAddress());
            }
        }
        throw new GuestAddressException(guestAddress, length);
    }

    /** Notes that our process or the kernel on its behalf wrote this guest physical range. */
    public void markWritten(long guestAddress, long length) {
        if (length == 0) {
            return;
        }
        long offset = translate(guestAddress, length) - base;
        long last = (offset + length - 1) / PAGE_BYTES;
        for (long page = offset / PAGE_BYTES; page <= last; page++) {
            ownWrites.set(page);
        }
    }

    public byte getByte(long guestAddress) {
        return NativeMemory.getByte(translate(guestAddress, 1));
    }

    public short getShort(long guestAddress) {
        return NativeMemory.getShort(translate(guestAddress, 2));
    }

    public int getInt(long guestAddress) {
        return NativeMemory.getInt(translate(guestAddress, 4));
    }

    public long getLong(long guestAddress) {
        return NativeMemory.getLong(translate(guestAddress, 8));
    }

    public void putByte(long guestAddress, byte value) {
        NativeMemory.putByte(translate(guestAddress, 1), value);
        markWritten(guestAddress, 1);
    }

    public void putShort(long guestAddress, short value) {
        NativeMemory.putShort(translate(guestAddress, 2), value);
        markWritten(guestAddress, 2);
    }

    public void putInt(long guestAddress, int value) {
        NativeMemory.putInt(translate(guestAddress, 4), value);
        markWritten(guestAddress, 4);
    }

    public void putLong(long guestAddress, long value) {
        NativeMemory.putLong(translate(guestAddress, 8), value);
        markWritten(guestAddress, 8);
    }

    public void read(long guestAddress, byte[] into, int index, int length) {
        NativeMemory.copy(translate(guestAddress, length), into, index, length);
    }

    public void write(long guestAddress, byte[] from, int index, int length) {
        NativeMemory.copy(from, index, translate(guestAddress, length), length);
        markWritten(guestAddress, length);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.munmap(base, lengthBytes);
            Libc.close(fd);
        }
    }
}
