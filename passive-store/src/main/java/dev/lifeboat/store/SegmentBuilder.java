// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import net.openhft.chronicle.bytes.Bytes;

/**
 * One segment while it is built, off-heap and reused: payloads grow in one Chronicle buffer, the index in another, and
 * {@link #seal} joins them. Used by one thread at a time; the writer's pool hands it from the appending thread to an
 * upload thread and back. Chronicle writes native order, which is little-endian on every machine with a KVM we know.
 */
final class SegmentBuilder {
    private final Bytes<ByteBuffer> body;
    private final Bytes<ByteBuffer> index;
    private int runs;
    private int indexCrc32c;

    /**
     * @param firstBytes memory to begin with
     * @param limitBytes longest segment
     */
    SegmentBuilder(int firstBytes, int limitBytes) {
        body = Bytes.elasticByteBuffer(firstBytes, limitBytes);
        index = Bytes.elasticByteBuffer(64 * 1024, limitBytes);
        // The pool's queue orders the hand-over between threads.
        body.singleThreadedCheckDisabled(true);
        index.singleThreadedCheckDisabled(true);
        reset();
    }

    void reset() {
        runs = 0;
        index.clear();
        body.clear();
        body.writeLong(SegmentIndex.MAGIC).writeInt(SegmentIndex.VERSION).writeInt(0);
    }

    boolean isEmpty() {
        return runs == 0;
    }

    boolean fits(int payloadBytes, int limitBytes) {
        return lengthBytes() + payloadBytes + SegmentIndex.ENTRY_BYTES <= limitBytes;
    }

    /** Of the segment as it is now. */
    int lengthBytes() {
        return (int) body.writePosition() + runs * SegmentIndex.ENTRY_BYTES + SegmentIndex.TRAILER_BYTES;
    }

    void append(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c) {
        int at = (int) body.writePosition();
        int payloadBytes = payload.remaining();
        body.ensureCapacity(at + payloadBytes);
        body.underlyingObject().put(at, payload, payload.position(), payloadBytes);
        body.writePosition(at + payloadBytes);
        index.writeLong(firstPage)
                .writeInt(at)
                .writeInt(payloadBytes)
                .writeInt(crc32c)
                .writeByte(encoding)
                .writeByte((byte) pageCount)
                .writeByte((byte) space)
                .writeByte((byte) 0);
        runs++;
    }

    /** Adds index and trailer; the content, valid until the next {@link #reset}. */
    ByteBuffer seal() {
        int indexAt = (int) body.writePosition();
        int indexBytes = (int) index.writePosition();
        ByteBuffer entries =
                index.underlyingObject().duplicate().limit(indexBytes).position(0);
        indexCrc32c = RunCodec.crc32c(entries);
        body.ensureCapacity(indexAt + indexBytes + SegmentIndex.TRAILER_BYTES);
        body.underlyingObject().put(indexAt, entries, 0, indexBytes);
        int trailerAt = indexAt + indexBytes;
        body.writePosition(trailerAt);
        body.writeLong(indexAt).writeInt(runs).writeInt(indexCrc32c).writeInt(SegmentIndex.VERSION);
        int trailerCrc = RunCodec.crc32c(body.underlyingObject().slice(trailerAt, 20));
        body.writeInt(trailerCrc).writeLong(SegmentIndex.END_MAGIC);
        return body.underlyingObject()
                .duplicate()
                .limit((int) body.writePosition())
                .position(0);
    }

    int runs() {
        return runs;
    }

    /** Of the sealed index. */
    int indexCrc32c() {
        return indexCrc32c;
    }

    void release() {
        body.releaseLast();
        index.releaseLast();
    }
}
