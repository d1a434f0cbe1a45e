// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final ByteBuffer plain = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer payload = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);

    /** By page: the newest full version in a committed epoch, and in the one being built; null when not kept. */
    private final byte[][] committedFull;

    private final byte[][] newFull;
    /** Decides between full versions and deltas; null for none of these. */
    private Random deltas;

    private final XorDelta delta = new XorDelta();
    private final ByteBuffer base = ByteBuffer.allocateDirect(PAGE);

    ModelVm(int pages) {
        this.pages = pages;
        memory = new byte[pages * PAGE];
        committedFull = new byte[pages][];
        newFull = new byte[pages][];
        dirty.set(0, pages);
    }

    /** From now on some pages whose last full version is known are written as deltas. */
    ModelVm withDeltas(Random random) {
        deltas = random;
        return this;
    }

    /** The next writer continues from these contents, of which no earlier version is kept. */
    void startFrom(byte[] contents) {
        System.arraycopy(contents, 0, memory, 0, memory.length);
        dirty.clear();
        Arrays.fill(committedFull, null);
        Arrays.fill(newFull, null);
    }

    /** Writes zero, compressible and random pages, and a few bytes of others, here and there. */
    void write(Random random, int writes) {
        byte[] page = new byte[PAGE];
        for (int i = 0; i < writes; i++) {
            int at = random.nextInt(pages);
            System.arraycopy(memory, at * PAGE, page, 0, PAGE);
            switch (random.nextInt(6)) {
                case 0 -> Arrays.fill(page, (byte) 0);
                case 1 -> Arrays.fill(page, (byte) random.nextInt(256));
                case 2, 3 -> fill(page, random.nextLong());
                default -> {
                    for (int bytes = 1 + random.nextInt(9); bytes > 0; bytes--) {
                        page[random.nextInt(PAGE)] = (byte) random.nextInt();
                    }
                }
            }
            System.arraycopy(page, 0, memory, at * PAGE, PAGE);
            dirty.set(at);
        }
    }

    /** Nothing to compress; a fraction of the time of {@link Random#nextBytes}, which most of a history's went into. */
    private static void fill(byte[] page, long seed) {
        long state = seed;
        for (int at = 0; at < PAGE; at += Long.BYTES) {
            state = state * 6364136223846793005L + 1442695040888963407L; // Knuth's MMIX
            LONGS.set(page, at, state ^ state >>> 31);
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
            if (deltas == null || deltas.nextBoolean() || !appendDelta(writer, space, from, to - from)) {
                append(writer, space, from, to - from);
            }
            from = dirty.nextSetBit(to);
        }
    }

    void append(EpochWriter writer, int space, int firstPage, int pageCount) {
        plain.clear();
        plain.put(memory, firstPage * PAGE, pageCount * PAGE).flip();
        payload.clear();
        byte encoding = codec.encode(plain, payload);
        payload.flip();
        for (int page = firstPage; page < firstPage + pageCount; page++) {
            newFull[page] = Arrays.copyOfRange(memory, page * PAGE, (page + 1) * PAGE);
        }
        writer.append(space, firstPage, pageCount, encoding, payload, RunCodec.crc32c(payload));
    }

    /** False when some page has no full version to be against, or changed too much. */
    private boolean appendDelta(EpochWriter writer, int space, int firstPage, int pageCount) {
        payload.clear();
        for (int page = firstPage; page < firstPage + pageCount; page++) {
            byte[] full = newFull[page] != null ? newFull[page] : committedFull[page];
            if (full == null || payload.remaining() < XorDelta.MAX_PAGE_BYTES) {
                return false;
            }
            base.clear().put(full).flip();
            plain.clear().put(memory, page * PAGE, PAGE).flip();
            if (!delta.encode(plain, base, payload)) {
                return false;
            }
        }
        payload.flip();
        writer.append(space, firstPage, pageCount, RunCodec.DELTA, payload, RunCodec.crc32c(payload));
        return true;
    }

    EpochManifest commit(EpochWriter writer) {
        EpochManifest manifest = writer.commit("{}", new byte[] {1, 2, 3}, 1);
        committed();
        return manifest;
    }

    /** What was appended is in the store for good. */
    void committed() {
        dirty.clear();
        for (int page = 0; page < pages; page++) {
            if (newFull[page] != null) {
                committedFull[page] = newFull[page];
                newFull[page] = null;
            }
        }
    }

    byte[] page(int page) {
        return Arrays.copyOfRange(memory, page * PAGE, (page + 1) * PAGE);
    }

    /** What was appended does not count. */
    void abandoned() {
        Arrays.fill(newFull, null);
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
