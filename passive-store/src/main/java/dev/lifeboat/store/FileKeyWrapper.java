// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Wraps data keys with AES-256-GCM under a key from a file of 32 bytes, or of their 64 hex digits. The file is read at
 * each use, and what was read is wiped after it. Thread-safe.
 */
final class FileKeyWrapper implements KeyWrapper {
    static final String SCHEME = "file:";

    private static final int KEY_BYTES = 32;
    private static final int NONCE_BYTES = 12;
    private static final int TAG_BITS = 128;
    private static final String HOW_TO_MAKE = "make one with: (umask 077; head -c 32 /dev/urandom > FILE)";

    private final Path file;

    private FileKeyWrapper(Path file) {
        this.file = file;
    }

    static FileKeyWrapper open(String url) {
        try {
            Path path = Path.of(url.substring(SCHEME.length()));
            if (path.isAbsolute()) {
                FileKeyWrapper wrapper = new FileKeyWrapper(path);
                Arrays.fill(wrapper.readKey(), (byte) 0);
                return wrapper;
            }
        } catch (InvalidPathException e) {
            throw new StoreException("'" + url + "' names no key file: " + e.getMessage(), e);
        }
        throw new StoreException("'" + url + "' names no key file: write the whole path, as in file:/etc/lifeboat/key");
    }

    @Override
    public String kind() {
        return "file";
    }

    @Override
    public byte[] wrap(byte[] dataKey, String vmId) {
        byte[] nonce = new byte[NONCE_BYTES];
        new SecureRandom().nextBytes(nonce);
        byte[] sealed;
        try {
            sealed = cipher(Cipher.ENCRYPT_MODE, nonce, vmId).doFinal(dataKey);
        } catch (GeneralSecurityException e) {
            throw new StoreException("cannot wrap the data key of VM " + vmId + " with " + describe() + ": " + e, e);
        }
        byte[] wrapped = Arrays.copyOf(nonce, NONCE_BYTES + sealed.length);
        System.arraycopy(sealed, 0, wrapped, NONCE_BYTES, sealed.length);
        return wrapped;
    }

    @Override
    public byte[] unwrap(byte[] wrapped, String vmId) {
        if (wrapped.length < NONCE_BYTES) {
            throw new WrongKeyException("the wrapped data key of VM " + vmId + " is too short to be one");
        }
        byte[] nonce = Arrays.copyOf(wrapped, NONCE_BYTES);
        try {
            return cipher(Cipher.DECRYPT_MODE, nonce, vmId).doFinal(wrapped, NONCE_BYTES, wrapped.length - NONCE_BYTES);
        } catch (AEADBadTagException e) {
            throw new WrongKeyException(
                    describe() + " is not the key that VM " + vmId + " is encrypted with; give the one it was started"
                            + " with",
                    e);
        } catch (GeneralSecurityException e) {
            throw new StoreException("cannot unwrap the data key of VM " + vmId + " with " + describe() + ": " + e, e);
        }
    }

    @Override
    public String describe() {
        return SCHEME + file;
    }

    private Cipher cipher(int mode, byte[] nonce, String vmId) throws GeneralSecurityException {
        byte[] key = readKey();
        try {
            Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
            cipher.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(TAG_BITS, nonce));
            cipher.updateAAD(("lifeboat data key " + vmId).getBytes(StandardCharsets.UTF_8));
            return cipher;
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    private byte[] readKey() {
        byte[] content;
        try {
            checkPermissions();
            content = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new StoreException("there is no key file " + file + "; " + HOW_TO_MAKE, e);
        } catch (AccessDeniedException e) {
            throw new StoreException("cannot read the key file " + file + ": no permission; run as its owner", e);
        } catch (IOException e) {
            throw new StoreException("cannot read the key file " + file + ": " + e.getMessage(), e);
        }
        if (content.length == KEY_BYTES) {
            return content;
        }
        try {
            byte[] key = HexFormat.of().parseHex(new String(content, StandardCharsets.US_ASCII).strip());
            if (key.length == KEY_BYTES) {
                return key;
            }
        } catch (IllegalArgumentException notHex) {
            // Its message would show a piece of the key.
            throw notAKey(content);
        } finally {
            Arrays.fill(content, (byte) 0);
        }
        throw notAKey(content);
    }

    private StoreException notAKey(byte[] content) {
        return new StoreException("the key file " + file + " of " + content.length
                + " bytes is no key: it must hold 32 bytes, or 64 hex digits; " + HOW_TO_MAKE);
    }

    private void checkPermissions() throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
        for (PosixFilePermission permission : permissions) {
            if (!permission.name().startsWith("OWNER_")) {
                throw new StoreException("the key file " + file + " is open to others ("
                        + PosixFilePermissions.toString(permissions) + "); do: chmod 600 " + file);
            }
        }
    }
}
