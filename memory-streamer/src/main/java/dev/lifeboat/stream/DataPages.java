// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;

/**
 * Finds the pages of guest memory, or of a disk's file, that exist at all. A page the guest never touched is a hole in
 * the memfd; reading it through the mapping would allocate it, so holes are found by lseek(2) {@code SEEK_DATA} and
 * {@code SEEK_HOLE}.
 */
public final class DataPages {
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    /** lseek(2): {@code SEEK_DATA} found no data up to the end of the file. */
    private static final int ENXIO = 6;

    private DataPages() {}

    /** One walk. Pages that come to exist meanwhile may be missed: the dirty log must be on before. */
    static void forEachRange(GuestMemory memory, RangeConsumer consumer) {
        forEachRange(memory.memfd(), memory.lengthBytes(), "guest memory", consumer);
    }

    /** The same for a sparse file: what is no hole of it, in pages of 4 KiB. */
    public static void forEachRange(int fd, long lengthBytes, String what, RangeConsumer consumer) {
        long pages = (lengthBytes + GuestMemory.PAGE_BYTES - 1) / GuestMemory.PAGE_BYTES;
        long at = 0;
        while (at < lengthBytes) {
            long data = Libc.lseek(fd, at, SEEK_DATA);
            if (data < 0) {
                int errno = Libc.errno();
                if (errno == ENXIO) {
                    return;
                }
                throw new LinuxException("lseek", what + ", SEEK_DATA from " + at, errno);
            }
            long hole = Libc.check(Libc.lseek(fd, data, SEEK_HOLE), "lseek", what + ", SEEK_HOLE from " + data);
            long first = data / GuestMemory.PAGE_BYTES;
            long end = Math.min((hole + GuestMemory.PAGE_BYTES - 1) / GuestMemory.PAGE_BYTES, pages);
            consumer.accept(first, end - first);
            at = end * GuestMemory.PAGE_BYTES;
        }
    }

    /** The existing pages as a bitmap. */
    static PageBitmap of(GuestMemory memory) {
        PageBitmap pages = new PageBitmap(memory.pages());
        forEachRange(memory, pages::setRange);
        return pages;
    }
}
