// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.List;
import java.util.Optional;

/**
 * The address spaces of a VM and their sizes: space 0 is guest memory, space n is disk n-1, all counted in blocks of
 * 4 KiB, called pages in every space.
 */
public record VmShape(long memoryPages, List<DiskShape> disks) {
    public static final int MEMORY = 0;

    /** 8 TiB per space: page numbers index arrays. */
    static final int MAX_PAGES = Integer.MAX_VALUE - 8;

    /** One byte of an index entry. */
    private static final int MAX_DISKS = 255;

    public VmShape {
        disks = List.copyOf(disks);
        if (memoryPages < 0 || memoryPages > MAX_PAGES || disks.size() > MAX_DISKS) {
            throw new IllegalArgumentException(memoryPages + " pages of memory, of at most " + MAX_PAGES + ", and "
                    + disks.size() + " disks, of at most " + MAX_DISKS);
        }
    }

    /** A VM without a writable disk. */
    public static VmShape ofMemory(long pages) {
        return new VmShape(pages, List.of());
    }

    public int spaces() {
        return 1 + disks.size();
    }

    /** Size of a space; 0 for one that the VM does not have. */
    public long pages(int space) {
        if (space == MEMORY) {
            return memoryPages;
        }
        return space > 0 && space < spaces() ? disks.get(space - 1).blocks() : 0;
    }

    /** Whether a page that no segment has is something else than zeros, so that zeros must be told from absence. */
    public boolean hasBase(int space) {
        return space > 0 && disks.get(space - 1).baseImage().isPresent();
    }

    /** What a person calls the space. */
    static String name(int space) {
        return space == MEMORY ? "memory" : "disk " + (space - 1);
    }

    /**
     * A disk that takes part in epochs.
     *
     * @param blocks of 4 KiB
     * @param baseImage {@code sha256-<hex>}: what stands in blocks that no segment has; without it they are zero
     */
    public record DiskShape(long blocks, Optional<String> baseImage) {
        public DiskShape {
            if (blocks < 0 || blocks > MAX_PAGES) {
                throw new IllegalArgumentException("a disk of " + blocks + " blocks, of at most " + MAX_PAGES);
            }
        }
    }
}
