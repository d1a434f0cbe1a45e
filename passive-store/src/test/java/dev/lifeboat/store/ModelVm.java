// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;

/** Guest memory as tests keep it: an array, pages that are not yet in a committed epoch, and a way to compare. */
final class ModelVm {
    static final int PAGE = RunCodec.PAGE_BYTES;
    final int pages;
    final byte[] memory;
    /** Written since the last commit. */
    final BitSet dirty = new BitSet();

    private final RunCodec codec = new RunCodec();
    private final ByteBuffer plain = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer payload = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);

    ModelVm(int pages) {
        this.pages = pages;
        memory = new byte[pages * PAGE];
        dirty.set(0, pages);
    }

    /** Writes zero, compressible and random pages here and there. */
    void write(Random random, int writes) {
        byte[] page = new byte[PAGE];
        for (int i = 0; i < writes; i++) {
            int at = random.nextInt(pages);
            switch (random.nextInt(4)) {
                case 0 -> Arrays.fill(page, (byte) 0);
                case 1 -> Arrays.fill(page, (byte) random.nextInt(256));
                default -> random.nextBytes(page);
            }
            System.arraycopy(page, 0, memory, at * PAGE, PAGE);
            dirty.set(at);
        }
    }

    /** Appends all dirty pages. */
    void append(EpochWriter writer) {
        append(writer, VmShape.MEMORY);
    }

    void append(EpochWriter writer, int space) {
        int from = dirty.nextSetBit(0);
        while (from >= 0) {
            int to = Math.min(dirty.nextClearBit(from), from + RunCodec.MAX_RUN_PAGES);
            append(writer, space, from, to - from);
            from = dirty.nextSetBit(to);
        }
    }

    void append(EpochWriter writer, int space, int firstPage, int pageCount) {
        plain.clear();
        plain.put(memory, firstPage * PAGE, pageCount * PAGE).flip();
        payload.clear();
        byte encoding = codec.encode(plain, payload);
        payload.flip();
        writer.append(space, firstPage, pageCount, encoding, payload, RunCodec.crc32c(payload));
    }

    EpochManifest commit(EpochWriter writer) {
        EpochManifest manifest = writer.commit("{}", new byte[] {1, 2, 3}, 1);
        dirty.clear();
        return manifest;
    }

    static byte[] restore(VmStore store, EpochManifest manifest) {
        return restore(store, manifest, VmShape.MEMORY);
    }

    static byte[] restore(VmStore store, EpochManifest manifest, int space) {
        VmShape shape = manifest.shape();
        byte[] restored = new byte[(int) shape.pages(space) * PAGE];
        boolean[] seen = new boolean[(int) shape.pages(space)];
        VmStore.RestoreStats stats = store.restore(manifest, space, (first, count, content) -> {
            assertThat(content.remaining()).isEqualTo(count * PAGE);
            assertThat(content.isDirect()).isTrue();
            synchronized (seen) {
                for (int page = (int) first; page < first + count; page++) {
                    assertThat(seen[page]).as("page %d twice", page).isFalse();
                    seen[page] = true;
                    content.get(restored, page * PAGE, PAGE);
                    assertThat(isZero(restored, page) && !shape.hasBase(space))
                            .as("page %d is zero", page)
                            .isFalse();
                }
            }
        });
        int delivered = 0;
        for (boolean one : seen) {
            delivered += one ? 1 : 0;
        }
        assertThat(stats.pages()).isEqualTo(delivered);
        return restored;
    }

    private static boolean isZero(byte[] memory, int page) {
        for (int i = page * PAGE; i < (page + 1) * PAGE; i++) {
            if (memory[i] != 0) {
                return false;
            }
        }
        return true;
    }
}
