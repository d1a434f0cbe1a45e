// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.zip.CRC32C;

/**
 * Disk images that VMs share, in an object store and named by their content (docs/store-format.md, "Base images"): sent
 * once, however many VMs start from one, and fetched by whichever host a VM comes to. Used by one thread at a time.
 */
public final class BaseImages {
    static final int VERSION = 1;
    /** As large as a large segment: few requests, and small enough to hold one in memory. */
    static final int CHUNK_BYTES = 8 << 20;

    /** One of them is digested and written while the others are on their way. */
    private static final int CHUNKS_AT_ONCE = 4;
    /** Longer than a store's own limits and retries take for a chunk. */
    private static final long CHUNK_LIMIT_MS = 300_000;

    private static final byte[] MAGIC = "LBBASE01".getBytes(StandardCharsets.US_ASCII);
    private static final int HEAD_BYTES = 24;
    private static final int CHUNK_ENTRY_BYTES = 8;

    private final ObjectStore objects;
    private final int chunkBytes;

    public BaseImages(ObjectStore objects) {
        this(objects, CHUNK_BYTES);
    }

    BaseImages(ObjectStore objects, int chunkBytes) {
        this.objects = objects;
        this.chunkBytes = chunkBytes;
    }

    /** What an image of this content is called: {@code sha256-<hex>}. Reads all of it. */
    public static String idOf(Path image) {
        MessageDigest digest = sha256();
        ByteBuffer some = ByteBuffer.allocate(1 << 20);
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.READ)) {
            while (file.read(some) >= 0) {
                digest.update(some.flip());
                some.clear();
            }
        } catch (IOException e) {
            throw new StoreException("cannot read the base image " + image + ": " + reason(e), e);
        }
        return id(digest);
    }

    /**
     * Makes sure that the store holds the image, and goes on to for {@link ImageCollector#GRACE_MS}: by then an epoch must
     * name it. Sends nothing when it is there. Several hosts may do so at once.
     *
     * @param id its {@link #idOf}
     * @return whether this call completed it
     */
    public boolean publish(String id, Path image) {
        for (ImageCopy copy : ImageCopy.list(objects, id)) {
            if (copy.isWhole() && !copy.isGoing() && isOurs(copy)) {
                return false;
            }
        }
        ImageCopy fresh = ImageCopy.fresh(id);
        objects.put(fresh.newUseKey(), ImageCopy.mark());
        send(fresh, image);
        return true;
    }

    /** Whether it stays: whoever collects images marks a copy as going before looking for marks like ours. */
    private boolean isOurs(ImageCopy copy) {
        objects.put(copy.newUseKey(), ImageCopy.mark());
        return objects.get(copy.goingKey()).isEmpty()
                && objects.get(copy.manifestKey()).isPresent();
    }

    private void send(ImageCopy copy, Path image) {
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.READ)) {
            long imageBytes = file.size();
            int chunks = chunks(imageBytes, chunkBytes);
            ByteBuffer manifest = ByteBuffer.allocate(HEAD_BYTES + chunks * CHUNK_ENTRY_BYTES + Integer.BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN);
            manifest.put(MAGIC).putInt(VERSION).putInt(chunkBytes).putLong(imageBytes);
            ByteBuffer chunk = ByteBuffer.allocate(chunkBytes);
            for (int n = 0; n < chunks; n++) {
                fill(file, (long) n * chunkBytes, chunk.clear());
                boolean zero = isZero(chunk);
                manifest.putInt(zero ? 0 : crc(chunk)).putInt(zero ? 0 : chunk.remaining());
                if (!zero) {
                    putOnce(copy.chunkKey(n), chunk);
                }
            }
            manifest.putInt(crc(manifest.duplicate().flip()));
            // Last: what has a manifest is whole.
            putOnce(copy.manifestKey(), manifest.flip());
        } catch (IOException e) {
            throw new StoreException("cannot read the base image " + image + ": " + reason(e), e);
        }
    }

    private void putOnce(String key, ByteBuffer content) {
        if (PutOnce.put(objects, key, content).isPresent()) {
            throw new DamagedObjectException("object " + key + " in " + objects.describe()
                    + " is not what its name says: delete it and start the VM again");
        }
    }

    /**
     * Reads an image into a new file and checks it by its name.
     *
     * @param into removed when this fails
     * @throws StoreException when the store does not hold it or it is damaged
     */
    public void fetch(String id, Path into) {
        List<ImageCopy> copies = ImageCopy.list(objects, id).stream()
                .filter(ImageCopy::isWhole)
                // One that is going may be gone before it is read.
                .sorted(Comparator.comparing(ImageCopy::isGoing))
                .toList();
        if (copies.isEmpty()) {
            throw new StoreException("the store " + objects.describe() + " holds no base image " + id
                    + ", which a disk of this VM needs: start a VM with that image there once");
        }
        StoreException first = null;
        for (ImageCopy copy : copies) {
            try {
                fetch(copy, into);
                return;
            } catch (StoreException e) {
                if (first != null) {
                    first.addSuppressed(e);
                } else {
                    first = e;
                }
            }
        }
        throw first;
    }

    private void fetch(ImageCopy copy, Path into) {
        String id = copy.id();
        ByteBuffer manifest = manifest(copy.manifestKey());
        int chunkLength = manifest.getInt(12);
        long imageBytes = manifest.getLong(16);
        boolean ours = false;
        boolean complete = false;
        try (FileChannel file = FileChannel.open(into, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
                ChunkReads reads = new ChunkReads(copy, manifest)) {
            ours = true;
            MessageDigest digest = sha256();
            for (int n = 0; n < chunks(imageBytes, chunkLength); n++) {
                ByteBuffer chunk = reads.next();
                digest.update(chunk.duplicate());
                long offset = (long) n * chunkLength;
                while (!isHole(manifest, n) && chunk.hasRemaining()) {
                    file.write(chunk, offset + chunk.position());
                }
            }
            if (file.size() < imageBytes) {
                // Zeroes at the end: a hole, up to its last byte.
                file.write(ByteBuffer.allocate(1), imageBytes - 1);
            }
            file.force(true);
            if (!id(digest).equals(id)) {
                throw new DamagedObjectException(
                        "base image " + id + " in " + objects.describe() + " has other content than its name says");
            }
            complete = true;
        } catch (IOException e) {
            throw new StoreException("cannot write the base image " + into + ": " + reason(e), e);
        } finally {
            if (ours && !complete) {
                remove(into);
            }
        }
    }

    private ByteBuffer manifest(String key) {
        Optional<ByteBuffer> found = objects.get(key);
        if (found.isEmpty()) {
            throw new StoreException(
                    "object " + key + " is gone from " + objects.describe() + " since it was listed: try again");
        }
        ByteBuffer manifest = found.get().slice().order(ByteOrder.LITTLE_ENDIAN);
        int checked = manifest.limit() - Integer.BYTES;
        byte[] magic = new byte[MAGIC.length];
        if (checked < HEAD_BYTES
                || !Arrays.equals(MAGIC, head(manifest, magic))
                || crc(manifest.duplicate().limit(checked)) != manifest.getInt(checked)) {
            throw new DamagedObjectException(
                    "damaged object " + key + ": its " + manifest.limit() + " bytes do not fit its checksum");
        }
        Records.checkVersion(key, manifest.getInt(8), VERSION, VERSION);
        int chunkLength = manifest.getInt(12);
        long imageBytes = manifest.getLong(16);
        if (chunkLength <= 0
                || imageBytes <= 0
                || checked - HEAD_BYTES != (long) chunks(imageBytes, chunkLength) * CHUNK_ENTRY_BYTES) {
            throw new DamagedObjectException("damaged object " + key + ": its length does not fit the image's");
        }
        return manifest;
    }

    private static byte[] head(ByteBuffer manifest, byte[] magic) {
        manifest.get(0, magic);
        return magic;
    }

    /** The chunks of an image in their order, read ahead. One thread. */
    private final class ChunkReads implements AutoCloseable {
        private final ImageCopy copy;
        private final ByteBuffer manifest;
        private final int chunks;
        private final ExecutorService threads = StoreThreads.pool("base-image-read", CHUNKS_AT_ONCE);
        private final ArrayDeque<Future<ByteBuffer>> asked = new ArrayDeque<>();
        private final ByteBuffer[] buffers = new ByteBuffer[CHUNKS_AT_ONCE];
        private int nextToAsk;

        ChunkReads(ImageCopy copy, ByteBuffer manifest) {
            this.copy = copy;
            this.manifest = manifest;
            chunks = BaseImages.chunks(manifest.getLong(16), manifest.getInt(12));
            // One buffer stays with who has called next() last.
            while (asked.size() < CHUNKS_AT_ONCE - 1 && nextToAsk < chunks) {
                ask();
            }
        }

        /** Valid until the next call. */
        ByteBuffer next() {
            if (nextToAsk < chunks) {
                ask();
            }
            return StoreThreads.await(asked.remove(), CHUNK_LIMIT_MS, "reading a chunk of base image " + copy.id());
        }

        private void ask() {
            int n = nextToAsk++;
            ByteBuffer into = buffer(n);
            asked.add(threads.submit(() -> read(copy, n, manifest, into)));
        }

        private ByteBuffer buffer(int n) {
            int slot = n % CHUNKS_AT_ONCE;
            int chunkLength = manifest.getInt(12);
            long imageBytes = manifest.getLong(16);
            if (buffers[slot] == null) {
                buffers[slot] = ByteBuffer.allocate((int) Math.min(chunkLength, imageBytes));
            }
            return buffers[slot].clear().limit((int) Math.min(chunkLength, imageBytes - (long) n * chunkLength));
        }

        @Override
        public void close() {
            threads.shutdownNow();
        }
    }

    private static boolean isHole(ByteBuffer manifest, int n) {
        return manifest.getInt(HEAD_BYTES + n * CHUNK_ENTRY_BYTES + Integer.BYTES) == 0;
    }

    /** Fills {@code chunk} with chunk {@code n}. */
    private ByteBuffer read(ImageCopy copy, int n, ByteBuffer manifest, ByteBuffer chunk) {
        if (isHole(manifest, n)) {
            while (chunk.hasRemaining()) {
                chunk.put((byte) 0);
            }
            return chunk.flip();
        }
        int expected = manifest.getInt(HEAD_BYTES + n * CHUNK_ENTRY_BYTES);
        int stored = manifest.getInt(HEAD_BYTES + n * CHUNK_ENTRY_BYTES + Integer.BYTES);
        String key = copy.chunkKey(n);
        if (stored != chunk.limit()) {
            throw new DamagedObjectException(
                    "damaged object " + copy.manifestKey() + ": chunk " + n + " has no length");
        }
        objects.read(key, 0, stored, chunk);
        chunk.flip();
        if (crc(chunk) != expected) {
            throw new DamagedObjectException("damaged object " + key + ": its bytes do not fit their checksum");
        }
        return chunk;
    }

    private static int chunks(long imageBytes, int chunkLength) {
        return Math.toIntExact((imageBytes + chunkLength - 1) / chunkLength);
    }

    private static void fill(FileChannel file, long offset, ByteBuffer chunk) throws IOException {
        while (chunk.hasRemaining() && file.read(chunk, offset + chunk.position()) >= 0) {
            // Until it is full, or the file ends.
        }
        chunk.flip();
    }

    private static boolean isZero(ByteBuffer chunk) {
        // The first byte is zero, and every byte equals the one before it.
        return chunk.limit() == 0
                || chunk.get(0) == 0
                        && chunk.duplicate()
                                        .position(1)
                                        .mismatch(chunk.duplicate().limit(chunk.limit() - 1))
                                < 0;
    }

    private static int crc(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate());
        return (int) crc.getValue();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static String id(MessageDigest digest) {
        return "sha256-" + HexFormat.of().formatHex(digest.digest());
    }

    private static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The failure that matters is on its way to the caller.
            return;
        }
    }

    private static String reason(IOException e) {
        return e.getClass() == IOException.class ? String.valueOf(e.getMessage()) : e.toString();
    }
}
