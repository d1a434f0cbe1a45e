// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;
import java.util.List;

/**
 * A 64-bit fingerprint of guest memory, or of disks: the sum over all pages that are not zero of a hash of content, page
 * number and address space. Being a sum, it can be made in any order, in parts, and kept up to date page by page; a page that does not
 * exist counts like one full of zeroes. It finds mistakes, not attackers.
 */
public final class MemoryHash {
    // The odd multipliers of splitmix64 (Steele, Lea, Flood 2014) and of xxHash64.
    private static final long MIX_1 = 0xbf58476d1ce4e5b9L;
    private static final long MIX_2 = 0x94d049bb133111ebL;
    private static final long LANE = 0x9e3779b185ebca87L;
    private static final long WORD = 0xc2b2ae3d27d4eb4fL;

    /** Above every page number there can be. */
    private static final int SPACE_SHIFT = 56;

    private MemoryHash() {}

    /** The hash of everything; nobody may write meanwhile. Reads existing pages only. */
    public static long of(GuestMemory memory) {
        long[] sum = new long[1];
        DataPages.forEachRange(memory, (first, count) -> {
            long part = 0;
            for (long page = first; page < first + count; page++) {
                part += ofPage(page, memory.pageAddress(page));
            }
            sum[0] += part;
        });
        return sum[0];
    }

    /** The hash of memory and of every disk. */
    public static long of(GuestMemory memory, List<StreamedDisk> disks) {
        long hash = of(memory);
        for (int i = 0; i < disks.size(); i++) {
            hash += of(i + 1, disks.get(i));
        }
        return hash;
    }

    /** The hash of what the disk holds apart from its base image; nobody may write meanwhile. */
    public static long of(int space, StreamedDisk disk) {
        boolean overBase = disk.baseImage().isPresent();
        long blocks = NativeMemory.allocate((long) PageRun.MAX_PAGES * GuestMemory.PAGE_BYTES);
        long[] sum = new long[1];
        try {
            disk.forEachRange((first, count) -> {
                for (long at = first; at < first + count; at += PageRun.MAX_PAGES) {
                    int some = (int) Math.min(PageRun.MAX_PAGES, first + count - at);
                    disk.read(at, some, blocks);
                    for (int i = 0; i < some; i++) {
                        sum[0] += ofBlock(space, at + i, blocks + (long) i * GuestMemory.PAGE_BYTES, overBase);
                    }
                }
            });
            return sum[0];
        } finally {
            NativeMemory.free(blocks);
        }
    }

    /** One block's share. A block of zeroes that hides one of a base image counts: it must have arrived. */
    public static long ofBlock(int space, long block, long address, boolean overBase) {
        long numbered = block | (long) space << SPACE_SHIFT;
        long hash = ofPage(numbered, address);
        return hash == 0 ? ofZeroBlock(space, block, overBase) : hash;
    }

    /** The same for a block of zeroes. */
    public static long ofZeroBlock(int space, long block, boolean overBase) {
        return overBase ? mix((block | (long) space << SPACE_SHIFT) ^ LANE) : 0;
    }

    /** One page's share: 0 when it is zero. */
    public static long ofPage(long page, long address) {
        long a = 1;
        long b = 2;
        long c = 3;
        long d = 4;
        long any = 0;
        for (long at = address; at < address + GuestMemory.PAGE_BYTES; at += 32) {
            long v0 = NativeMemory.getLong(at);
            long v1 = NativeMemory.getLong(at + 8);
            long v2 = NativeMemory.getLong(at + 16);
            long v3 = NativeMemory.getLong(at + 24);
            any |= v0 | v1 | v2 | v3;
            // Four lanes, so that the multiplications overlap.
            a = Long.rotateLeft(a + v0 * WORD, 31) * LANE;
            b = Long.rotateLeft(b + v1 * WORD, 31) * LANE;
            c = Long.rotateLeft(c + v2 * WORD, 31) * LANE;
            d = Long.rotateLeft(d + v3 * WORD, 31) * LANE;
        }
        if (any == 0) {
            return 0;
        }
        long content = Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
        return mix(content ^ mix(page + 1));
    }

    private static long mix(long value) {
        long x = (value ^ value >>> 30) * MIX_1;
        x = (x ^ x >>> 27) * MIX_2;
        return x ^ x >>> 31;
    }
}
