// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;

/**
 * Finds the pages of guest memory that exist at all. A page the guest never touched is a hole in the memfd; reading
 * it through the mapping would allocate it, so holes are found by lseek(2) {@code SEEK_DATA} and {@code SEEK_HOLE}.
 */
final class DataPages {
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    /** lseek(2): {@code SEEK_DATA} found no data up to the end of the file. */
    private static final int ENXIO = 6;

    private DataPages() {}

    /** Takes ranges of existing pages, ascending. */
    interface RangeConsumer {
        void accept(long firstPage, long count);
    }

    /** One walk. Pages that come to exist meanwhile may be missed: the dirty log must be on before. */
    static void forEachRange(GuestMemory memory, RangeConsumer consumer) {
        long at = 0;
        while (at < memory.lengthBytes()) {
            long data = Libc.lseek(memory.memfd(), at, SEEK_DATA);
            if (data < 0) {
                int errno = Libc.errno();
                if (errno == ENXIO) {
                    return;
                }
                throw new LinuxException("lseek", "guest memory, SEEK_DATA from " + at, errno);
            }
            long hole = Libc.check(
                    Libc.lseek(memory.memfd(), data, SEEK_HOLE), "lseek", "guest memory, SEEK_HOLE from " + data);
            long first = data / GuestMemory.PAGE_BYTES;
            long end = Math.min((hole + GuestMemory.PAGE_BYTES - 1) / GuestMemory.PAGE_BYTES, memory.pages());
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
