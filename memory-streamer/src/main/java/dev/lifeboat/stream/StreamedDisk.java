// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.util.Optional;

/**
 * A writable disk of a VM as streaming and evacuation see it: blocks of 4 KiB, numbered from 0, an address space like
 * guest memory. The monitor implements it. Blocks are read by encoder threads while the guest's device writes others or
 * the same ones; {@link #dirtyBlocks} is what makes that right.
 */
public interface StreamedDisk {
    /** Blocks; the last one may reach beyond the disk's end and is read as filled up with zeroes. */
    long blocks();

    /**
     * The image that this disk started as, {@code sha256-<hex>}: every host can get it by its content, so its blocks
     * never travel. Empty when the disk started as zeroes.
     */
    Optional<String> baseImage();

    /**
     * Blocks that the guest wrote since this was last drained. A bit is set <em>after</em> the write has taken effect
     * and before the device reports it done: whoever takes the bit and then reads the block reads that write, and one
     * that comes later sets the bit again. Set before the write, a bit could be taken and the old block read, and the
     * write would be lost.
     */
    PageBitmap dirtyBlocks();

    /** Calls with every range of blocks that may differ from the base image or, without one, from zeroes. */
    void forEachRange(RangeConsumer consumer);

    /** Copies blocks to {@code address}. Any thread. */
    void read(long firstBlock, int count, long address);

    /**
     * Puts blocks there while no guest runs; they are not noted as dirty. Several threads, never two for one block.
     *
     * @param address of their bytes, 0 when they are all zero
     */
    void fill(long firstBlock, int count, long address);
}
