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
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/**
 * Disk images that VMs share, in an object store and named by their content (docs/store-format.md, "Base images"): sent
 * once, however many VMs start from one, and fetched by whichever host a VM comes to. Used by one thread at a time.
 */
public final class BaseImages {
    static final int VERSION = 1;
    /** As large as a large segment: few requests, and small enough to hold one in memory. */
    static final int CHUNK_BYTES = 8 << 20;

    private static final byte[] MAGIC = "LBBASE01".getBytes(StandardCharsets.US_ASCII);
    private static final int HEAD_BYTES = 24;
    private static final int CHUNK_ENTRY_BYTES = 8;
    private static final Pattern ID = Pattern.compile("sha256-[0-9a-f]{64}");

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
     * Makes sure that the store holds the image; sends nothing when it does. Several hosts may do so at once.
     *
     * @param id its {@link #idOf}
     * @return whether this call completed it
     */
    public boolean publish(String id, Path image) {
        if (objects.get(manifestKey(id)).isPresent()) {
            return false;
        }
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
                    putOnce(chunkKey(id, n), chunk);
                }
            }
            manifest.putInt(crc(manifest.duplicate().flip()));
            // Last: what has a manifest is whole.
            putOnce(manifestKey(id), manifest.flip());
            return true;
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
        ByteBuffer manifest = manifest(id);
        int chunkLength = manifest.getInt(12);
        long imageBytes = manifest.getLong(16);
        boolean ours = false;
        boolean complete = false;
        try (FileChannel file = FileChannel.open(into, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
            ours = true;
            MessageDigest digest = sha256();
            ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(chunkLength, imageBytes));
            for (int n = 0; n < chunks(imageBytes, chunkLength); n++) {
                long offset = (long) n * chunkLength;
                int lengthBytes = (int) Math.min(chunkLength, imageBytes - offset);
                boolean zero = read(id, n, manifest, chunk.clear().limit(lengthBytes));
                digest.update(chunk.duplicate());
                while (!zero && chunk.hasRemaining()) {
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

    private ByteBuffer manifest(String id) {
        String key = manifestKey(id);
        Optional<ByteBuffer> found = objects.get(key);
        if (found.isEmpty()) {
            throw new StoreException("the store " + objects.describe() + " holds no base image " + id
                    + ", which a disk of this VM needs: start a VM with that image there once");
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

    /** Fills {@code chunk} with chunk {@code n}; returns whether it is all zero. */
    private boolean read(String id, int n, ByteBuffer manifest, ByteBuffer chunk) {
        int expected = manifest.getInt(HEAD_BYTES + n * CHUNK_ENTRY_BYTES);
        int stored = manifest.getInt(HEAD_BYTES + n * CHUNK_ENTRY_BYTES + Integer.BYTES);
        if (stored == 0) {
            while (chunk.hasRemaining()) {
                chunk.put((byte) 0);
            }
            chunk.flip();
            return true;
        }
        String key = chunkKey(id, n);
        if (stored != chunk.limit()) {
            throw new DamagedObjectException("damaged object " + manifestKey(id) + ": chunk " + n + " has no length");
        }
        objects.read(key, 0, stored, chunk);
        chunk.flip();
        if (crc(chunk) != expected) {
            throw new DamagedObjectException("damaged object " + key + ": its bytes do not fit their checksum");
        }
        return false;
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

    private static String manifestKey(String id) {
        return prefix(id) + "manifest";
    }

    private static String chunkKey(String id, int n) {
        return prefix(id) + n;
    }

    private static String prefix(String id) {
        if (!ID.matcher(id).matches()) {
            throw new StoreException("'" + id + "' names no base image: it must be sha256- and 64 hexadecimal digits");
        }
        return "base/" + id + "/";
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
