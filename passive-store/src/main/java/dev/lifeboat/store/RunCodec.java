// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;

/**
 * Encodes and decodes runs of guest pages; zero, plain and LZ4 are used in segments and on the wire, the others in
 * segments only (docs/store-format.md). One instance per thread: it owns scratch memory. No call allocates.
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
    /** One zstd frame of all pages of the run; in the store only. */
    public static final byte ZSTD = 3;
    /** Differences from pages that the reader has, see {@link XorDelta}; in the store only. */
    public static final byte DELTA = 4;

    public static final int PAGE_BYTES = 4096;
    /** The unit of encoding: up to 16 neighbouring pages. */
    public static final int MAX_RUN_PAGES = 16;

    public static final int MAX_RUN_BYTES = MAX_RUN_PAGES * PAGE_BYTES;

    /** How hard to try. */
    public enum Effort {
        /** LZ4 where it looks worthwhile: as fast as the network. */
        FAST,
        /** zstd: for when pages wait for the network anyway. */
        SMALL
    }

    /** The shortest delta of a page: that nothing differs. */
    private static final int MIN_DELTA_BYTES = 8;

    /** Compared with {@code mismatch}, which never moves its position: safe to share. */
    private static final ByteBuffer ZERO_PAGE = ByteBuffer.allocateDirect(PAGE_BYTES);

    private static final ThreadLocal<CRC32C> CRC = ThreadLocal.withInitial(CRC32C::new);

    private final LZ4Compressor compressor = LZ4Factory.fastestInstance().fastCompressor();
    private final LZ4SafeDecompressor decompressor =
            LZ4Factory.fastestInstance().safeDecompressor();
    private final ZstdRuns zstd = new ZstdRuns();
    private final LooksRandom looksRandom = new LooksRandom();
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(
            Math.max(compressor.maxCompressedLength(MAX_RUN_BYTES), ZstdRuns.maxCompressedBytes(MAX_RUN_BYTES)));

    /** {@link #encode(ByteBuffer, ByteBuffer, Effort)}, fast. */
    public byte encode(ByteBuffer pages, ByteBuffer into) {
        return encode(pages, into, Effort.FAST);
    }

    /**
     * Encodes the remaining bytes of {@code pages}, whose position and limit are left as they were.
     *
     * @param pages direct, 1 to {@link #MAX_RUN_PAGES} whole pages remaining
     * @param into direct, advanced by the payload's length; must have room for the pages as they are
     * @return the encoding
     */
    public byte encode(ByteBuffer pages, ByteBuffer into, Effort effort) {
        int lengthBytes = checkedLength(pages);
        if (into.remaining() < lengthBytes) {
            throw new IllegalArgumentException(
                    "room for " + into.remaining() + " bytes, but the run may take " + lengthBytes);
        }
        if (isZero(pages)) {
            return ZERO;
        }
        int at = into.position();
        into.put(at, pages, pages.position(), lengthBytes);
        return compress(into, at, lengthBytes, effort);
    }

    /**
     * Encodes the remaining bytes of {@code run}, which nobody else may write meanwhile, and puts the payload in their
     * place: from where its position was to where it is after the call.
     *
     * @param run direct, 1 to {@link #MAX_RUN_PAGES} whole pages remaining
     * @return the encoding
     */
    public byte encodeInPlace(ByteBuffer run, Effort effort) {
        int lengthBytes = checkedLength(run);
        return isZero(run) ? ZERO : compress(run, run.position(), lengthBytes, effort);
    }

    /** Compresses in place if that pays; the position is then at the payload's end. */
    private byte compress(ByteBuffer run, int at, int lengthBytes, Effort effort) {
        byte encoding = PLAIN;
        int compressedBytes = lengthBytes;
        if (effort == Effort.SMALL && ZstdRuns.isAvailable()) {
            encoding = ZSTD;
            compressedBytes = zstd.compress(run, at, lengthBytes, scratch);
        } else if (!looksRandom.test(run, at, lengthBytes)) {
            encoding = LZ4;
            compressedBytes = compressor.compress(run, at, lengthBytes, scratch, 0, scratch.capacity());
        }
        // What saves less than a tenth is not worth the reader's time.
        if (compressedBytes >= lengthBytes / 10 * 9) {
            run.position(at + lengthBytes);
            return PLAIN;
        }
        run.put(at, scratch, 0, compressedBytes);
        run.position(at + compressedBytes);
        return encoding;
    }

    private static int checkedLength(ByteBuffer pages) {
        int lengthBytes = pages.remaining();
        int pageCount = lengthBytes / PAGE_BYTES;
        checkRun(pageCount);
        if (pageCount * PAGE_BYTES != lengthBytes) {
            throw new IllegalArgumentException("a run of " + lengthBytes + " bytes is not made of whole pages");
        }
        return lengthBytes;
    }

    /**
     * Decodes one run. Safe against any payload: nothing outside {@code pages} is written, and what does not decode to
     * exactly {@code pageCount} pages is refused. After an exception the contents of {@code pages} are undefined.
     *
     * <p>A {@link #DELTA} is applied: {@code pages} must hold what it is against.
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
            case LZ4 -> checkDecoded(decompress(payload, pages, at, lengthBytes), lengthBytes);
            case ZSTD -> checkDecoded(zstd.decompress(payload, pages, at, lengthBytes), lengthBytes);
            default -> XorDelta.apply(payload, pageCount, -1, pages);
        }
        payload.position(payload.limit());
        pages.position(at + lengthBytes);
    }

    private int decompress(ByteBuffer payload, ByteBuffer pages, int at, int lengthBytes) {
        try {
            return decompressor.decompress(payload, payload.position(), payload.remaining(), pages, at, lengthBytes);
        } catch (LZ4Exception e) {
            throw new StoreException("damaged run: not a valid LZ4 block of " + lengthBytes + " bytes", e);
        }
    }

    private static void checkDecoded(int decodedBytes, int lengthBytes) {
        if (decodedBytes != lengthBytes) {
            throw new StoreException("damaged run: decodes to " + decodedBytes + " bytes, not " + lengthBytes);
        }
    }

    /** Whether a payload of this length can belong to the encoding; used before anything is read or allocated. */
    public static boolean isPlausible(byte encoding, int payloadBytes, int pageCount) {
        return switch (encoding) {
            case ZERO -> payloadBytes == 0;
            case PLAIN -> payloadBytes == pageCount * PAGE_BYTES;
            case LZ4, ZSTD -> payloadBytes > 0 && payloadBytes < pageCount * PAGE_BYTES;
            case DELTA -> payloadBytes >= pageCount * MIN_DELTA_BYTES && payloadBytes < pageCount * PAGE_BYTES;
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
    public static boolean isZero(ByteBuffer pages) {
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
