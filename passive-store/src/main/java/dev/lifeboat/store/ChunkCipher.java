// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.zip.CRC32C;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;

/**
 * AES-256-GCM over chunks of up to 64 KiB. One thread at a time: it owns a cipher and two arrays, because Java's GCM
 * is fastest, and allocates least, from array to array.
 *
 * <p>The nonce is the chunk's number. That is safe because a key belongs to one object and an object never changes.
 */
final class ChunkCipher {
    private static final int TAG_BITS = 8 * SealedLayout.TAG_BYTES;

    private final Cipher cipher;
    private final CRC32C crc = new CRC32C();
    private final byte[] nonce = new byte[12];
    private final byte[] clear = new byte[SealedLayout.CHUNK_BYTES];
    private final byte[] sealed = new byte[SealedLayout.CHUNK_BYTES + SealedLayout.TAG_BYTES];

    ChunkCipher() {
        try {
            cipher = Cipher.getInstance("AES/GCM/NoPadding");
        } catch (GeneralSecurityException e) {
            throw new StoreException("this Java has no AES/GCM: use a complete JDK or runtime", e);
        }
    }

    /** Appends the sealed form of {@code content}'s next {@code length} bytes to {@code into}. */
    void seal(SecretKey key, int chunk, ByteBuffer content, int length, ByteBuffer into) {
        content.get(clear, 0, length);
        try {
            cipher.init(Cipher.ENCRYPT_MODE, key, parameters(chunk));
            int sealedBytes = cipher.doFinal(clear, 0, length, sealed, 0);
            into.put(sealed, 0, sealedBytes);
            into.putInt(crc(sealedBytes));
        } catch (GeneralSecurityException e) {
            throw new StoreException("cannot encrypt chunk " + chunk + ": " + e, e);
        }
    }

    /**
     * Opens one sealed chunk and appends {@code count} of its bytes, from {@code skip} on, to {@code into}.
     *
     * @param from advanced past the chunk and its end
     * @param length of the chunk in the clear
     * @throws DamagedObjectException saying why; the caller knows the object
     */
    void open(SecretKey key, int chunk, ByteBuffer from, int length, int skip, int count, ByteBuffer into) {
        int sealedBytes = length + SealedLayout.TAG_BYTES;
        from.get(sealed, 0, sealedBytes);
        if (from.getInt() != crc(sealedBytes)) {
            throw new DamagedObjectException("chunk " + chunk + " does not fit its checksum");
        }
        try {
            cipher.init(Cipher.DECRYPT_MODE, key, parameters(chunk));
            cipher.doFinal(sealed, 0, sealedBytes, clear, 0);
        } catch (AEADBadTagException e) {
            throw new DamagedObjectException(
                    "chunk " + chunk + " was not sealed with this VM's key under this name, or was altered", e);
        } catch (GeneralSecurityException e) {
            throw new StoreException("cannot decrypt chunk " + chunk + ": " + e, e);
        }
        into.put(clear, skip, count);
    }

    /** Whether the next chunk fits its checksum; needs no key. Advances as {@link #open} does. */
    boolean isWhole(ByteBuffer from, int length) {
        from.get(sealed, 0, length + SealedLayout.TAG_BYTES);
        return from.getInt() == crc(length + SealedLayout.TAG_BYTES);
    }

    private GCMParameterSpec parameters(int chunk) {
        nonce[8] = (byte) (chunk >>> 24);
        nonce[9] = (byte) (chunk >>> 16);
        nonce[10] = (byte) (chunk >>> 8);
        nonce[11] = (byte) chunk;
        return new GCMParameterSpec(TAG_BITS, nonce);
    }

    private int crc(int length) {
        crc.reset();
        crc.update(sealed, 0, length);
        return (int) crc.getValue();
    }
}
