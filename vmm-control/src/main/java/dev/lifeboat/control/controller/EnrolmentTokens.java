// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * One-time tokens, each bound to a purchase: its name and a keyed hash of it. So nothing secret is in the journal, and a
 * purchase that is repeated after a restart has the same user data, as clouds demand of the same idempotency token. Any
 * thread.
 */
final class EnrolmentTokens {
    private static final String ALGORITHM = "HmacSHA256";
    private static final int KEY_BYTES = 32;

    private final SecretKeySpec key;

    private EnrolmentTokens(byte[] key) {
        this.key = new SecretKeySpec(key, ALGORITHM);
    }

    /** @param file made when it is not there */
    static EnrolmentTokens open(Path file) {
        try {
            if (!Files.exists(file)) {
                byte[] fresh = new byte[KEY_BYTES];
                new SecureRandom().nextBytes(fresh);
                Path partial = file.resolveSibling(file.getFileName() + ".new");
                Files.deleteIfExists(partial);
                try (var channel = Files.newByteChannel(
                        partial,
                        EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
                    channel.write(java.nio.ByteBuffer.wrap(fresh));
                }
                Files.move(partial, file);
            }
            byte[] key = Files.readAllBytes(file);
            if (key.length != KEY_BYTES) {
                throw new ControlException(
                        ExitCode.FAILED,
                        file + " is damaged: " + key.length + " bytes, not " + KEY_BYTES
                                + "; remove it, and hosts that are booting now will not come to the fleet");
            }
            return new EnrolmentTokens(key);
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot make or read the enrolment key " + file + ": " + e.getMessage(), e);
        }
    }

    String of(String purchase) {
        return purchase + "." + HexFormat.of().formatHex(hash(purchase));
    }

    /** The purchase that a token is of; empty for a forged one. */
    Optional<String> purchase(String token) {
        int dot = token.lastIndexOf('.');
        if (dot < 0) {
            return Optional.empty();
        }
        String purchase = token.substring(0, dot);
        boolean genuine = MessageDigest.isEqual(
                token.getBytes(StandardCharsets.UTF_8), of(purchase).getBytes(StandardCharsets.UTF_8));
        return genuine ? Optional.of(purchase) : Optional.empty();
    }

    private byte[] hash(String purchase) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac.doFinal(purchase.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(ALGORITHM + " is in every JDK", e);
        }
    }
}
