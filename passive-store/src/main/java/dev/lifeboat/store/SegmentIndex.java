// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The index of one segment, checked: every run lies within its address space and within the segment. Immutable; the
 * fields of run {@code i} are read straight from the bytes (docs/store-format.md).
 */
final class SegmentIndex {
    static final long MAGIC = magic("LBSEGMNT");
    static final long END_MAGIC = magic("TNMGESBL");
    static final int VERSION = 2;
    /** Segments of this version, without disks and deltas, are still read. */
    static final int OLDEST_VERSION = 1;

    static final int HEADER_BYTES = 16;
    static final int ENTRY_BYTES = 24;
    static final int TRAILER_BYTES = 32;
    /** What is read first of a segment of unknown index size: the index of 2,729 runs, more than most have. */
    private static final int TAIL_BYTES = 64 * 1024;

    private final SegmentRef ref;
    private final ByteBuffer entries;
    private final int runs;
    private final int indexOffset;

    private SegmentIndex(SegmentRef ref, ByteBuffer entries, int indexOffset) {
        this.ref = ref;
        this.entries = entries;
        this.indexOffset = indexOffset;
        runs = entries.limit() / ENTRY_BYTES;
    }

    /**
     * Reads and checks trailer and index.
     *
     * @throws DamagedObjectException naming the segment
     */
    static SegmentIndex read(SegmentObjects objects, SegmentRef ref, VmShape shape) {
        if (ref.lengthBytes() < HEADER_BYTES + TRAILER_BYTES || ref.lengthBytes() > Integer.MAX_VALUE) {
            throw damaged(ref, "its length " + ref.lengthBytes() + " cannot be");
        }
        int length = (int) ref.lengthBytes();
        long tailBytes = ref.runs() > 0 ? TRAILER_BYTES + (long) ref.runs() * ENTRY_BYTES : TAIL_BYTES;
        ByteBuffer tail = readRange(objects, ref, (int) Math.max(0, length - tailBytes), length);
        int trailerAt = tail.limit() - TRAILER_BYTES;
        if (tail.getLong(trailerAt + 24) != END_MAGIC) {
            throw damaged(ref, "it does not end as a segment does");
        }
        if (tail.getInt(trailerAt + 20) != RunCodec.crc32c(tail.slice(trailerAt, 20))) {
            throw damaged(ref, "the trailer does not fit its checksum");
        }
        Records.checkVersion(ref.key(), tail.getInt(trailerAt + 16), OLDEST_VERSION, VERSION);
        long indexAt = tail.getLong(trailerAt);
        int runs = tail.getInt(trailerAt + 8);
        int indexCrc = tail.getInt(trailerAt + 12);
        if (runs < 0
                || ref.runs() > 0 && runs != ref.runs()
                || indexAt < HEADER_BYTES
                || indexAt + (long) runs * ENTRY_BYTES != length - TRAILER_BYTES) {
            throw damaged(ref, "the trailer does not fit its length");
        }
        ByteBuffer entries = length - indexAt <= tail.limit()
                ? tail.slice((int) (tail.limit() - (length - indexAt)), runs * ENTRY_BYTES)
                : readRange(objects, ref, (int) indexAt, length - TRAILER_BYTES);
        if (indexCrc != ref.indexCrc32c() || indexCrc != RunCodec.crc32c(entries)) {
            throw damaged(ref, "the index does not fit its checksum");
        }
        SegmentIndex index = new SegmentIndex(ref, entries.order(ByteOrder.LITTLE_ENDIAN), (int) indexAt);
        index.checkRuns(indexAt, shape);
        return index;
    }

    private static ByteBuffer readRange(SegmentObjects objects, SegmentRef ref, int from, int to) {
        ByteBuffer range = ByteBuffer.allocate(to - from).order(ByteOrder.LITTLE_ENDIAN);
        objects.read(ref, from, to - from, range);
        return range.flip();
    }

    /** What passed the checksum was written by us; this keeps a wrong writer from becoming a wrong page. */
    private void checkRuns(long indexAt, VmShape shape) {
        for (int run = 0; run < runs; run++) {
            long first = firstPage(run);
            int count = pageCount(run);
            if (count < 1
                    || count > RunCodec.MAX_RUN_PAGES
                    || first < 0
                    || first > shape.pages(space(run)) - count
                    || !RunCodec.isPlausible(encoding(run), payloadBytes(run), count)
                    || payloadOffset(run) < HEADER_BYTES
                    || payloadOffset(run) > indexAt - payloadBytes(run)) {
                throw damaged(ref, "run " + run + " lies outside");
            }
        }
    }

    private static DamagedObjectException damaged(SegmentRef ref, String why) {
        return new DamagedObjectException("damaged segment " + ref.key() + ": " + why);
    }

    SegmentRef ref() {
        return ref;
    }

    /** Where the payloads end. */
    int indexOffset() {
        return indexOffset;
    }

    /** Of the index in memory. */
    int lengthBytes() {
        return entries.capacity();
    }

    int runs() {
        return runs;
    }

    long firstPage(int run) {
        return entries.getLong(run * ENTRY_BYTES);
    }

    int payloadOffset(int run) {
        return entries.getInt(run * ENTRY_BYTES + 8);
    }

    int payloadBytes(int run) {
        return entries.getInt(run * ENTRY_BYTES + 12);
    }

    int crc32c(int run) {
        return entries.getInt(run * ENTRY_BYTES + 16);
    }

    byte encoding(int run) {
        return entries.get(run * ENTRY_BYTES + 20);
    }

    int pageCount(int run) {
        return entries.get(run * ENTRY_BYTES + 21);
    }

    int space(int run) {
        return entries.get(run * ENTRY_BYTES + 22) & 0xff;
    }

    private static long magic(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII))
                .order(ByteOrder.LITTLE_ENDIAN)
                .getLong();
    }
}
