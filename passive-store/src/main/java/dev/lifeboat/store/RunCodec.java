// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;

/**
 * Encodes and decodes runs of guest pages; the same encodings are used in segments and on the wire
 * (docs/store-format.md). One instance per thread: it owns scratch memory. No call allocates.
 *
 * <p>Guest memory may change while it is encoded. The payload is therefore made from one copy of the pages, so it
 * always decodes; pages that changed meanwhile are dirty again and follow in a later run.
 */
public final class RunCodec {
    /** Every byte of every page is zero; no payload. */
    public static final byte ZERO = 0;
    /** The pages as they are. */
    public static final byte PLAIN = 1;
    /** One LZ4 block of all pages of the run. */
    public static final byte LZ4 = 2;

    public static final int PAGE_BYTES = 4096;
    /** The unit of encoding: up to 16 neighbouring pages. */
    public static final int MAX_RUN_PAGES = 16;

    public static final int MAX_RUN_BYTES = MAX_RUN_PAGES * PAGE_BYTES;

    /** Compared with {@code mismatch}, which never moves its position: safe to share. */
    private static final ByteBuffer ZERO_PAGE = ByteBuffer.allocateDirect(PAGE_BYTES);

    private static final ThreadLocal<CRC32C> CRC = ThreadLocal.withInitial(CRC32C::new);

    private final LZ4Compressor compressor = LZ4Factory.fastestInstance().fastCompressor();
    private final LZ4SafeDecompressor decompressor =
            LZ4Factory.fastestInstance().safeDecompressor();
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(compressor.maxCompressedLength(MAX_RUN_BYTES));

    /**
     * Encodes the remaining bytes of {@code pages}, whose position and limit are left as they were.
     *
     * @param pages direct, 1 to {@link #MAX_RUN_PAGES} whole pages remaining
     * @param into direct, advanced by the payload's length; must have room for the pages as they are
     * @return the encoding
     */
    public byte encode(ByteBuffer pages, ByteBuffer into) {
        int lengthBytes = pages.remaining();
        int pageCount = lengthBytes / PAGE_BYTES;
        checkRun(pageCount);
        if (pageCount * PAGE_BYTES != lengthBytes) {
            throw new IllegalArgumentException("a run of " + lengthBytes + " bytes is not made of whole pages");
        }
        if (into.remaining() < lengthBytes) {
            throw new IllegalArgumentException(
                    "room for " + into.remaining() + " bytes, but the run may take " + lengthBytes);
        }
        if (isZero(pages)) {
            return ZERO;
        }
        int at = into.position();
        into.put(at, pages, pages.position(), lengthBytes);
        int worthwhileBytes = lengthBytes / 10 * 9;
        int compressedBytes = compressor.compress(into, at, lengthBytes, scratch, 0, scratch.capacity());
        if (compressedBytes < worthwhileBytes) {
            into.put(at, scratch, 0, compressedBytes);
            into.position(at + compressedBytes);
            return LZ4;
        }
        into.position(at + lengthBytes);
        return PLAIN;
    }

    /**
     * Decodes one run. Safe against any payload: nothing outside {@code pages} is written, and what does not decode to
     * exactly {@code pageCount} pages is refused. After an exception the contents of {@code pages} are undefined.
     *
     * @param payload direct; all its remaining bytes are the payload, and are consumed
     * @param pages direct, advanced by {@code pageCount * 4096}
     * @throws StoreException when encoding, lengths or payload are not valid
     */
    public void decode(byte encoding, ByteBuffer payload, int pageCount, ByteBuffer pages) {
        if (pageCount < 1 || pageCount > MAX_RUN_PAGES) {
            throw new StoreException("damaged run: " + pageCount + " pages, not 1 to " + MAX_RUN_PAGES);
        }
        int lengthBytes = pageCount * PAGE_BYTES;
        int payloadBytes = payload.remaining();
        if (!isPlausible(encoding, payloadBytes, pageCount)) {
            throw new StoreException("damaged run: encoding " + encoding + " with a payload of " + payloadBytes
                    + " bytes for " + pageCount + " pages");
        }
        if (pages.remaining() < lengthBytes) {
            throw new IllegalArgumentException("room for " + pages.remaining() + " bytes, not " + lengthBytes);
        }
        int at = pages.position();
        switch (encoding) {
            case ZERO -> {
                for (int page = 0; page < pageCount; page++) {
                    pages.put(at + page * PAGE_BYTES, ZERO_PAGE, 0, PAGE_BYTES);
                }
            }
            case PLAIN -> pages.put(at, payload, payload.position(), lengthBytes);
            default -> decompress(payload, pages, at, lengthBytes);
        }
        payload.position(payload.limit());
        pages.position(at + lengthBytes);
    }

    private void decompress(ByteBuffer payload, ByteBuffer pages, int at, int lengthBytes) {
        int decoded;
        try {
            decoded = decompressor.decompress(payload, payload.position(), payload.remaining(), pages, at, lengthBytes);
        } catch (LZ4Exception e) {
            throw new StoreException("damaged run: not a valid LZ4 block of " + lengthBytes + " bytes", e);
        }
        if (decoded != lengthBytes) {
            throw new StoreException("damaged run: decodes to " + decoded + " bytes, not " + lengthBytes);
        }
    }

    /** Whether a payload of this length can belong to the encoding; used before anything is read or allocated. */
    public static boolean isPlausible(byte encoding, int payloadBytes, int pageCount) {
        return switch (encoding) {
            case ZERO -> payloadBytes == 0;
            case PLAIN -> payloadBytes == pageCount * PAGE_BYTES;
            case LZ4 -> payloadBytes > 0 && payloadBytes < pageCount * PAGE_BYTES;
            default -> false;
        };
    }

    /** CRC32C of the remaining bytes; position and limit are left as they were. Any thread. */
    public static int crc32c(ByteBuffer bytes) {
        int position = bytes.position();
        CRC32C crc = CRC.get();
        crc.reset();
        crc.update(bytes);
        bytes.position(position);
        return (int) crc.getValue();
    }

    /** Whether all the remaining bytes, whole pages, are zero; position and limit are left as they were. */
    static boolean isZero(ByteBuffer pages) {
        int start = pages.position();
        int end = pages.limit();
        // Most pages that are not zero show it at once; and mismatch is at its best on long stretches.
        if (pages.getLong(start) != 0) {
            return false;
        }
        try {
            for (int at = start; at < end; at += PAGE_BYTES) {
                pages.limit(at + PAGE_BYTES).position(at);
                if (pages.mismatch(ZERO_PAGE) != -1) {
                    return false;
                }
            }
            return true;
        } finally {
            pages.limit(end).position(start);
        }
    }

    private static void checkRun(int pageCount) {
        if (pageCount < 1 || pageCount > MAX_RUN_PAGES) {
            throw new IllegalArgumentException("a run has 1 to " + MAX_RUN_PAGES + " pages, not " + pageCount);
        }
    }
}
