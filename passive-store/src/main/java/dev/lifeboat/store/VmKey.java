// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/**
 * The data key of one VM: it encrypts nothing itself, but gives each object a key of its own, which depends on the
 * object's key in the store. So no two objects share one, and an object under another's name does not decrypt.
 * Immutable; any thread.
 */
final class VmKey {
    static final int KEY_BYTES = 32;

    private final int number;
    private final SecretKeySpec key;

    VmKey(int number, byte[] key) {
        if (key.length != KEY_BYTES) {
            throw new StoreException("data key " + number + " has " + key.length + " bytes, not " + KEY_BYTES);
        }
        this.number = number;
        this.key = new SecretKeySpec(key, "HmacSHA256");
    }

    static byte[] random() {
        byte[] key = new byte[KEY_BYTES];
        new SecureRandom().nextBytes(key);
        return key;
    }

    /** Of the key object that holds it, wrapped. */
    int number() {
        return number;
    }

    /** AES-256, for the object of that key alone. */
    SecretKey forObject(String objectKey) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            return new SecretKeySpec(mac.doFinal(objectKey.getBytes(StandardCharsets.UTF_8)), "AES");
        } catch (GeneralSecurityException e) {
            throw new StoreException("this Java has no HmacSHA256: use a complete JDK or runtime", e);
        }
    }

    @Override
    public String toString() {
        return "data key " + number;
    }
}
