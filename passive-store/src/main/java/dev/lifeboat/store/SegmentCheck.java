// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.Optional;

/** Reads whole segments and looks at every byte of them. One thread at a time: it owns buffers. */
final class SegmentCheck {
    /** What the writer never exceeds, with room: longer is damage, and must not take our memory. */
    private static final int LONGEST_BYTES = 256 << 20;

    private final ObjectStore store;
    private final SegmentObjects segments;
    private final boolean sealed;
    private final boolean opens;
    private final RunCodec codec = new RunCodec();
    private final ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private ByteBuffer content = ByteBuffer.allocateDirect(0);

    /**
     * @param sealed whether segments of this VM are
     * @param opens whether they can be opened
     */
    SegmentCheck(ObjectStore store, SegmentObjects segments, boolean sealed, boolean opens) {
        this.store = store;
        this.segments = segments;
        this.sealed = sealed;
        this.opens = opens;
    }

    /**
     * What is wrong.
     *
     * @param what in words; empty when nothing is
     * @param allLost whether no page of the segment can be had
     * @param runs otherwise: those that cannot be
     */
    record Result(String what, boolean allLost, BitSet runs) {
        boolean isWhole() {
            return what.isEmpty();
        }
    }

    Result check(SegmentRef ref, VmShape shape) {
        try {
            if (ref.lengthBytes() > LONGEST_BYTES || ref.lengthBytes() < 1) {
                throw new DamagedObjectException("its length " + ref.lengthBytes() + " cannot be");
            }
            if (!opens) {
                checkChunks(ref);
                return new Result("", false, new BitSet());
            }
            return checkRuns(SegmentIndex.read(segments, ref, shape));
        } catch (DamagedObjectException e) {
            return new Result(e.getMessage(), true, new BitSet());
        }
    }

    /** The checksums of what is encrypted, which need no key. */
    private void checkChunks(SegmentRef ref) {
        int sealedBytes = (int) SealedLayout.sealedBytes(ref.lengthBytes());
        ByteBuffer bytes = room(sealedBytes);
        store.read(ref.key(), 0, sealedBytes, bytes);
        bytes.flip();
        SegmentObjects.checkHeader(ref, bytes);
        ChunkCipher cipher = new ChunkCipher();
        for (int chunk = 0; chunk < SealedLayout.chunks(ref.lengthBytes()); chunk++) {
            if (!cipher.isWhole(bytes, SealedLayout.chunkBytes(chunk, ref.lengthBytes()))) {
                throw new DamagedObjectException(
                        "damaged segment " + ref.key() + ": chunk " + chunk + " does not fit its checksum");
            }
        }
    }

    private Result checkRuns(SegmentIndex index) {
        SegmentRef ref = index.ref();
        int payloadsEnd =
                (int) ref.lengthBytes() - SegmentIndex.TRAILER_BYTES - index.runs() * SegmentIndex.ENTRY_BYTES;
        ByteBuffer bytes = room(payloadsEnd);
        Optional<String> header = readHeaderAndPayloads(ref, payloadsEnd, bytes);
        BitSet damaged = new BitSet();
        String what =
                header.map(why -> "damaged segment " + ref.key() + ": " + why).orElse("");
        for (int run = 0; run < index.runs(); run++) {
            Optional<String> why = whyNotWhole(index, run, bytes);
            if (why.isPresent()) {
                what = what.isEmpty() ? "damaged segment " + ref.key() + ": run " + run + " " + why.get() : what;
                damaged.set(run);
            }
        }
        if (damaged.cardinality() > 1) {
            what += "; and " + (damaged.cardinality() - 1) + " more runs";
        }
        return new Result(what, false, damaged);
    }

    private Optional<String> readHeaderAndPayloads(SegmentRef ref, int payloadsEnd, ByteBuffer bytes) {
        Optional<String> damage = sealed ? damageOfSealedHeader(ref) : Optional.empty();
        try {
            segments.read(ref, 0, payloadsEnd, bytes);
        } catch (DamagedObjectException e) {
            if (!sealed) {
                throw e;
            }
            readByChunks(ref, payloadsEnd, bytes);
            return Optional.of(e.getMessage());
        }
        // Restore reads no header; but what changed it may change more.
        boolean header = bytes.getLong(0) == SegmentIndex.MAGIC
                && bytes.getInt(8) >= SegmentIndex.OLDEST_VERSION
                && bytes.getInt(8) <= SegmentIndex.VERSION
                && bytes.getInt(12) == 0;
        return header ? damage : Optional.of("the header is not one");
    }

    private Optional<String> damageOfSealedHeader(SegmentRef ref) {
        ByteBuffer header = ByteBuffer.allocate(SealedLayout.HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        store.read(ref.key(), 0, SealedLayout.HEADER_BYTES, header);
        try {
            SegmentObjects.checkHeader(ref, header.flip());
            return Optional.empty();
        } catch (DamagedObjectException e) {
            return Optional.of("it does not begin as a sealed one does");
        }
    }

    /** What cannot be opened becomes zeros, which the checksums of its runs do not fit. */
    private void readByChunks(SegmentRef ref, int payloadsEnd, ByteBuffer bytes) {
        for (int at = 0; at < payloadsEnd; at += SealedLayout.CHUNK_BYTES) {
            int count = Math.min(SealedLayout.CHUNK_BYTES, payloadsEnd - at);
            bytes.clear().position(at);
            try {
                segments.read(ref, at, count, bytes);
            } catch (DamagedObjectException e) {
                bytes.put(at, new byte[count]);
            }
        }
        bytes.clear();
    }

    private Optional<String> whyNotWhole(SegmentIndex index, int run, ByteBuffer bytes) {
        ByteBuffer payload = bytes.duplicate()
                .limit(index.payloadOffset(run) + index.payloadBytes(run))
                .position(index.payloadOffset(run));
        if (RunCodec.crc32c(payload) != index.crc32c(run)) {
            return Optional.of("does not fit its checksum");
        }
        try {
            codec.decode(index.encoding(run), payload, index.pageCount(run), pages.clear());
            return Optional.empty();
        } catch (StoreException e) {
            return Optional.of("does not decode: " + e.getMessage());
        }
    }

    private ByteBuffer room(int bytes) {
        if (content.capacity() < bytes) {
            content = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
        }
        return content.clear();
    }
}
