// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;

/**
 * The body of an encrypted VM's manifest: what tools need to see (the list of segments) in the clear, description and
 * state encrypted, all of it authenticated for the key of its object. The nonce is random, because an epoch number may
 * be tried again with another content.
 *
 * @param keyNumber of the data key
 * @param visible a {@link ManifestBody} in CBOR whose description and state are empty
 * @param sealed nonce, then description and state in CBOR under AES-256-GCM, with {@code visible} as additional data
 */
record SealedManifest(int keyNumber, byte[] visible, byte[] sealed) {
    private static final int NONCE_BYTES = 12;
    private static final int TAG_BITS = 128;

    /** What is encrypted. */
    record Hidden(String vmDescription, byte[] state) {}

    static SealedManifest seal(VmKey vmKey, String objectKey, byte[] visible, byte[] hidden) {
        byte[] nonce = new byte[NONCE_BYTES];
        new SecureRandom().nextBytes(nonce);
        try {
            byte[] encrypted = cipher(Cipher.ENCRYPT_MODE, vmKey, objectKey, nonce, visible)
                    .doFinal(hidden);
            byte[] sealed = Arrays.copyOf(nonce, NONCE_BYTES + encrypted.length);
            System.arraycopy(encrypted, 0, sealed, NONCE_BYTES, encrypted.length);
            return new SealedManifest(vmKey.number(), visible, sealed);
        } catch (GeneralSecurityException e) {
            throw new StoreException("cannot encrypt " + objectKey + ": " + e, e);
        }
    }

    byte[] open(VmKey vmKey, String objectKey) {
        if (sealed.length < NONCE_BYTES) {
            throw new DamagedObjectException("damaged object " + objectKey + ": fields are missing");
        }
        byte[] nonce = Arrays.copyOf(sealed, NONCE_BYTES);
        try {
            return cipher(Cipher.DECRYPT_MODE, vmKey, objectKey, nonce, visible)
                    .doFinal(sealed, NONCE_BYTES, sealed.length - NONCE_BYTES);
        } catch (AEADBadTagException e) {
            throw new DamagedObjectException(
                    "damaged object " + objectKey + ": it was not sealed with this VM's key under this name, or was"
                            + " altered",
                    e);
        } catch (GeneralSecurityException e) {
            throw new StoreException("cannot decrypt " + objectKey + ": " + e, e);
        }
    }

    private static Cipher cipher(int mode, VmKey vmKey, String objectKey, byte[] nonce, byte[] visible)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, vmKey.forObject(objectKey), new GCMParameterSpec(TAG_BITS, nonce));
        cipher.updateAAD(visible);
        return cipher;
    }
}
