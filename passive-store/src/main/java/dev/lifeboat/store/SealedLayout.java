// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** Where the bytes of a content lie in its sealed form (docs/store-format.md): header, then chunks with their ends. */
final class SealedLayout {
    static final int HEADER_BYTES = 16;
    static final int CHUNK_BYTES = 64 * 1024;
    static final int TAG_BYTES = 16;
    /** After each chunk: its GCM tag, and the CRC32C of ciphertext and tag. */
    static final int CHUNK_END_BYTES = TAG_BYTES + 4;

    private SealedLayout() {}

    static int chunks(long contentBytes) {
        return (int) ((contentBytes + CHUNK_BYTES - 1) / CHUNK_BYTES);
    }

    static long sealedBytes(long contentBytes) {
        return HEADER_BYTES + contentBytes + (long) chunks(contentBytes) * CHUNK_END_BYTES;
    }

    /** Of a chunk in the sealed form. */
    static long offset(int chunk) {
        return HEADER_BYTES + (long) chunk * (CHUNK_BYTES + CHUNK_END_BYTES);
    }

    static int chunkBytes(int chunk, long contentBytes) {
        return (int) Math.min(CHUNK_BYTES, contentBytes - (long) chunk * CHUNK_BYTES);
    }
}
