// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;
import java.util.Optional;

/**
 * A disk without a file: blocks in memory, over nothing or over a made-up base image whose every block can be told from
 * zeroes. The fake guest writes it with {@link #write}, in the order that {@link StreamedDisk#dirtyBlocks} asks for.
 */
public final class FakeDisk implements StreamedDisk {
    private final GuestMemory content;
    private final boolean overBase;
    private final PageBitmap present;
    private final PageBitmap dirty;

    public FakeDisk(long blocks, boolean overBase) {
        content = new GuestMemory(blocks * GuestMemory.PAGE_BYTES);
        this.overBase = overBase;
        present = new PageBitmap(blocks);
        dirty = new PageBitmap(blocks);
    }

    /** What the base image, or nothing, has there. */
    long baseWord(long block, int index) {
        return overBase ? ~(block << 32 | index) : 0;
    }

    long word(long block, int index) {
        return present.get(block)
                ? NativeMemory.getLong(content.pageAddress(block) + index * 8L)
                : baseWord(block, index);
    }

    interface Words {
        long at(int index);
    }

    void write(long block, Words words) {
        long address = content.pageAddress(block);
        for (int i = 0; i < GuestMemory.PAGE_BYTES / 8; i++) {
            NativeMemory.putLong(address + i * 8L, words.at(i));
        }
        present.set(block);
        dirty.set(block);
    }

    @Override
    public long blocks() {
        return content.pages();
    }

    @Override
    public Optional<String> baseImage() {
        return overBase ? Optional.of("sha256-" + "0a".repeat(32)) : Optional.empty();
    }

    @Override
    public PageBitmap dirtyBlocks() {
        return dirty;
    }

    @Override
    public void forEachRange(RangeConsumer consumer) {
        for (long block = 0; block < blocks(); block++) {
            if (present.get(block)) {
                consumer.accept(block, 1);
            }
        }
    }

    @Override
    public void read(long firstBlock, int count, long address) {
        for (int n = 0; n < count; n++) {
            for (int i = 0; i < GuestMemory.PAGE_BYTES / 8; i++) {
                NativeMemory.putLong(address + (long) n * GuestMemory.PAGE_BYTES + i * 8L, word(firstBlock + n, i));
            }
        }
    }

    @Override
    public void fill(long firstBlock, int count, long address) {
        for (int n = 0; n < count; n++) {
            long to = content.pageAddress(firstBlock + n);
            if (address == 0) {
                NativeMemory.fill(to, GuestMemory.PAGE_BYTES, (byte) 0);
            } else {
                NativeMemory.copy(address + (long) n * GuestMemory.PAGE_BYTES, to, GuestMemory.PAGE_BYTES);
            }
            present.set(firstBlock + n);
        }
    }
}
