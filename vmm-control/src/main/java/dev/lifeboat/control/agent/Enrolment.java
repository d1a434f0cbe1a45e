// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/**
 * How a new host comes into the fleet: it makes a key, shows a one-time token, and gets a certificate and its
 * configuration. Runs on the main thread before the agent. The key never leaves the host; its public half is sent as it
 * is, with a signature over the token: a PKCS#10 request says no more, and its library would cost an emulated processor
 * seconds.
 */
public final class Enrolment {
    private static final String SIGNATURE = "SHA256withECDSA";
    private static final long CALL_LIMIT_MS = 20_000;
    private static final long RETRY_MS = 1_000;
    /** A controller that is restarted just now is back by then. */
    private static final long LIMIT_MS = 180_000;

    /**
     * {@code POST /v1/enroll}.
     *
     * @param publicKey X.509 SubjectPublicKeyInfo
     * @param proof signature over the token's bytes
     */
    public record Wish(String token, byte[] publicKey, byte[] proof) {}

    /**
     * @param certificate PEM
     * @param config {@code agent.json} without {@code tls} and {@code runDirectory}
     */
    public record Answer(String host, String certificate, ObjectNode config) {}

    private Enrolment() {}

    /**
     * Writes {@code agent.json} and the TLS files beside it; does nothing when they are there, as after a restart.
     *
     * @param authority PEM file of the fleet's authority
     * @param configFile where {@code agent.json} goes
     */
    public static void enrol(String url, String token, Path authority, Path configFile) throws InterruptedException {
        if (Files.exists(configFile)) {
            return;
        }
        Path directory = configFile.toAbsolutePath().getParent();
        try {
            KeyPair pair = newPair();
            Wish wish = new Wish(token, pair.getPublic().getEncoded(), sign(pair, token));
            Answer answer = ask(ApiClient.patient(FleetTls.trusting(authority)), url, wish);
            Files.createDirectories(directory);
            Path certificate = directory.resolve("host.crt");
            Path key = directory.resolve("host.key");
            Files.deleteIfExists(key);
            Files.createFile(key, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(
                    key,
                    "-----BEGIN PRIVATE KEY-----\n"
                            + Base64.getMimeEncoder(64, new byte[] {'\n'})
                                    .encodeToString(pair.getPrivate().getEncoded())
                            + "\n-----END PRIVATE KEY-----\n");
            Files.writeString(certificate, answer.certificate());
            ObjectNode config = answer.config();
            config.putObject("tls")
                    .put("authority", authority.toAbsolutePath().toString())
                    .put("certificate", certificate.toString())
                    .put("key", key.toString());
            if (!config.has("runDirectory")) {
                config.put("runDirectory", "/run/lifeboat");
            }
            // Last, and at once: its being there says that all the others are.
            Path fresh = directory.resolve("agent.json.new");
            Files.writeString(
                    fresh, Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(config));
            Files.move(fresh, configFile, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException | GeneralSecurityException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot write this host's identity to " + directory + ": " + e.getMessage(), e);
        }
    }

    private static Answer ask(ApiClient client, String url, Wish wish) throws InterruptedException, IOException {
        long limitNs = System.nanoTime() + LIMIT_MS * 1_000_000;
        while (true) {
            try {
                return Json.MAPPER.treeToValue(
                        client.post(url, "/v1/enroll", Json.MAPPER.valueToTree(wish), CALL_LIMIT_MS), Answer.class);
            } catch (ApiError e) {
                throw new ControlException(
                        ExitCode.NOT_TRUSTED, "the controller refuses this host: " + e.getMessage(), e);
            } catch (ControlException e) {
                // The same key shows the same token again, which the controller answers as the first time.
                if (e.exitCode() != ExitCode.UNREACHABLE || System.nanoTime() - limitNs > 0) {
                    throw e;
                }
                Thread.sleep(RETRY_MS);
            }
        }
    }

    /**
     * The controller's side of the proof.
     *
     * @throws ApiError 400 when the key is none, 403 when the caller does not have its other half
     */
    public static PublicKey verify(Wish wish) {
        try {
            PublicKey key = KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(wish.publicKey()));
            Signature signature = Signature.getInstance(SIGNATURE);
            signature.initVerify(key);
            signature.update(wish.token().getBytes(StandardCharsets.UTF_8));
            if (!signature.verify(wish.proof())) {
                throw new ApiError(403, "the proof is not a signature of the token by the key");
            }
            return key;
        } catch (GeneralSecurityException e) {
            throw new ApiError(400, "the public key or the proof cannot be read: " + e.getMessage());
        }
    }

    private static KeyPair newPair() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private static byte[] sign(KeyPair pair, String token) throws GeneralSecurityException {
        Signature signature = Signature.getInstance(SIGNATURE);
        signature.initSign(pair.getPrivate());
        signature.update(token.getBytes(StandardCharsets.UTF_8));
        return signature.sign();
    }
}
