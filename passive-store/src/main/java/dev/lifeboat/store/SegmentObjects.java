// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Supplier;
import javax.crypto.SecretKey;

/**
 * The segments of one VM in the store, and the one place through which their bytes go: as they are, or sealed under the VM's key. Offsets and lengths are those of the
 * clear content in both cases. Thread-safe; there are as many buffers as callers at once.
 */
final class SegmentObjects {
    private static final long MAGIC = ByteBuffer.wrap("LBSEALED".getBytes(StandardCharsets.US_ASCII))
            .order(ByteOrder.LITTLE_ENDIAN)
            .getLong();
    private static final int VERSION = 1;

    private final ObjectStore store;
    private final Supplier<Optional<VmKey>> key;
    /** The last one given back is taken first: those that grew large are few, and stay so. */
    private final ConcurrentLinkedDeque<Sealer> idle = new ConcurrentLinkedDeque<>();

    /** @param key gives nothing when the VM is not encrypted; asked at each call */
    SegmentObjects(ObjectStore store, Supplier<Optional<VmKey>> key) {
        this.store = store;
        this.key = key;
    }

    void put(String segmentKey, ByteBuffer content) {
        Optional<VmKey> vmKey = key.get();
        if (vmKey.isEmpty()) {
            store.put(segmentKey, content);
            return;
        }
        Sealer sealer = take();
        try {
            store.put(segmentKey, sealer.seal(vmKey.get(), segmentKey, content));
        } finally {
            idle.push(sealer);
        }
    }

    /**
     * Reads {@code length} bytes, which may be none, from {@code from} into {@code into}.
     *
     * @throws DamagedObjectException naming the segment
     */
    void read(SegmentRef ref, long from, int length, ByteBuffer into) {
        if (length == 0) {
            return;
        }
        Optional<VmKey> vmKey = key.get();
        if (vmKey.isEmpty()) {
            store.read(ref.key(), from, length, into);
            return;
        }
        if (from < 0 || length < 0 || from > ref.lengthBytes() - length) {
            throw new IllegalArgumentException(from + " + " + length + " lies outside of " + ref);
        }
        Sealer sealer = take();
        try {
            sealer.read(vmKey.get(), ref, from, length, into);
        } finally {
            idle.push(sealer);
        }
    }

    /** Consumes the header of a sealed segment. */
    static void checkHeader(SegmentRef ref, ByteBuffer sealed) {
        if (sealed.getLong() != MAGIC) {
            throw new DamagedObjectException(
                    "damaged segment " + ref.key() + ": it does not begin as a sealed one does");
        }
        int version = sealed.getInt();
        int keyNumber = sealed.getInt();
        if (version != VERSION || keyNumber < 1) {
            throw new DamagedObjectException("damaged segment " + ref.key() + ": sealed in version " + version
                    + " with key " + keyNumber + ", which cannot be");
        }
    }

    String describe() {
        return store.describe();
    }

    private Sealer take() {
        Sealer free = idle.poll();
        return free == null ? new Sealer() : free;
    }

    /** One caller's buffers. */
    private final class Sealer {
        private final ChunkCipher cipher = new ChunkCipher();
        private ByteBuffer sealed = ByteBuffer.allocateDirect(0);

        ByteBuffer seal(VmKey vmKey, String segmentKey, ByteBuffer content) {
            ByteBuffer clear = content.duplicate();
            int contentBytes = clear.remaining();
            room(Math.toIntExact(SealedLayout.sealedBytes(contentBytes)));
            sealed.putLong(MAGIC).putInt(VERSION).putInt(vmKey.number());
            SecretKey objectKey = vmKey.forObject(segmentKey);
            for (int chunk = 0; clear.hasRemaining(); chunk++) {
                cipher.seal(objectKey, chunk, clear, SealedLayout.chunkBytes(chunk, contentBytes), sealed);
            }
            return sealed.flip();
        }

        void read(VmKey vmKey, SegmentRef ref, long from, int length, ByteBuffer into) {
            int first = (int) (from / SealedLayout.CHUNK_BYTES);
            int last = (int) ((from + length - 1) / SealedLayout.CHUNK_BYTES);
            long start = SealedLayout.offset(first);
            long end = Math.min(SealedLayout.offset(last + 1), SealedLayout.sealedBytes(ref.lengthBytes()));
            room((int) (end - start));
            store.read(ref.key(), start, (int) (end - start), sealed);
            sealed.flip();
            SecretKey objectKey = vmKey.forObject(ref.key());
            try {
                for (int chunk = first; chunk <= last; chunk++) {
                    long chunkAt = (long) chunk * SealedLayout.CHUNK_BYTES;
                    int chunkBytes = SealedLayout.chunkBytes(chunk, ref.lengthBytes());
                    int skip = (int) Math.max(0, from - chunkAt);
                    int count = (int) Math.min(chunkBytes, from + length - chunkAt) - skip;
                    cipher.open(objectKey, chunk, sealed, chunkBytes, skip, count, into);
                }
            } catch (DamagedObjectException e) {
                throw new DamagedObjectException("damaged segment " + ref.key() + ": " + e.getMessage(), e);
            }
        }

        private void room(int bytes) {
            if (sealed.capacity() < bytes) {
                sealed = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
            }
            sealed.clear();
        }
    }
}
