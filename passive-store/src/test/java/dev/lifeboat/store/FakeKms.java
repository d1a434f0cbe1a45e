// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Encrypt and Decrypt of AWS KMS in this process, as the service's API reference has them: it refuses what is not
 * signed for its region, every field it does not know, a ciphertext of another key or context, and keys it has not.
 */
final class FakeKms implements AutoCloseable {
    static final String REGION = "eu-central-1";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int NONCE_BYTES = 12;

    private final Set<String> keys;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newFixedThreadPool(4);
    private final Queue<Integer> failures = new ConcurrentLinkedQueue<>();

    /** @param keys ARNs of the keys there are */
    FakeKms(String... keys) throws IOException {
        this.keys = new HashSet<>(Arrays.asList(keys));
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
    }

    static String arn(String name) {
        return "arn:aws:kms:" + REGION + ":111122223333:key/" + name;
    }

    Optional<URI> endpoint() {
        return Optional.of(URI.create("http://127.0.0.1:" + server.getAddress().getPort()));
    }

    /** The next requests are answered with these statuses. */
    void fail(Integer... statuses) {
        failures.addAll(Arrays.asList(statuses));
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            Integer failure = failures.poll();
            if (failure != null) {
                answer(exchange, failure, error(failure >= 500 ? "KMSInternalException" : "AccessDeniedException"));
                return;
            }
            String authorization = String.valueOf(exchange.getRequestHeaders().getFirst("Authorization"));
            if (!authorization.startsWith("AWS4-HMAC-SHA256 ")
                    || !authorization.contains("/" + REGION + "/kms/aws4_request")) {
                answer(exchange, 400, error("IncompleteSignatureException"));
                return;
            }
            String target = String.valueOf(exchange.getRequestHeaders().getFirst("X-Amz-Target"));
            JsonNode request = JSON.readTree(body);
            try {
                switch (target) {
                    case "TrentService.Encrypt" -> encrypt(exchange, request);
                    case "TrentService.Decrypt" -> decrypt(exchange, request);
                    default -> answer(exchange, 400, error("UnknownOperationException"));
                }
            } catch (GeneralSecurityException e) {
                answer(exchange, 400, error("InvalidCiphertextException"));
            }
        }
    }

    private void encrypt(HttpExchange exchange, JsonNode request) throws IOException, GeneralSecurityException {
        if (!hasOnly(request, "KeyId", "Plaintext", "EncryptionContext")) {
            answer(exchange, 400, error("ValidationException"));
            return;
        }
        String key = request.get("KeyId").asText();
        if (!keys.contains(key)) {
            answer(exchange, 400, error("NotFoundException"));
            return;
        }
        byte[] name = key.getBytes(StandardCharsets.UTF_8);
        byte[] nonce = Arrays.copyOf(
                MessageDigest.getInstance("SHA-256")
                        .digest(request.get("Plaintext").binaryValue()),
                NONCE_BYTES);
        byte[] sealed = cipher(Cipher.ENCRYPT_MODE, key, nonce, request)
                .doFinal(request.get("Plaintext").binaryValue());
        byte[] blob = new byte[1 + name.length + NONCE_BYTES + sealed.length];
        blob[0] = (byte) name.length;
        System.arraycopy(name, 0, blob, 1, name.length);
        System.arraycopy(nonce, 0, blob, 1 + name.length, NONCE_BYTES);
        System.arraycopy(sealed, 0, blob, 1 + name.length + NONCE_BYTES, sealed.length);
        ObjectNode answer = JSON.createObjectNode();
        answer.put("KeyId", key).put("CiphertextBlob", blob).put("EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
        answer(exchange, 200, answer);
    }

    private void decrypt(HttpExchange exchange, JsonNode request) throws IOException, GeneralSecurityException {
        if (!hasOnly(request, "KeyId", "CiphertextBlob", "EncryptionContext")) {
            answer(exchange, 400, error("ValidationException"));
            return;
        }
        byte[] blob = request.get("CiphertextBlob").binaryValue();
        int nameBytes = blob.length > 0 ? blob[0] : 0;
        if (blob.length < 1 + nameBytes + NONCE_BYTES) {
            answer(exchange, 400, error("InvalidCiphertextException"));
            return;
        }
        String key = new String(blob, 1, nameBytes, StandardCharsets.UTF_8);
        if (!keys.contains(request.get("KeyId").asText())) {
            answer(exchange, 400, error("NotFoundException"));
            return;
        }
        if (!key.equals(request.get("KeyId").asText())) {
            answer(exchange, 400, error("IncorrectKeyException"));
            return;
        }
        byte[] nonce = Arrays.copyOfRange(blob, 1 + nameBytes, 1 + nameBytes + NONCE_BYTES);
        int from = 1 + nameBytes + NONCE_BYTES;
        byte[] plain = cipher(Cipher.DECRYPT_MODE, key, nonce, request).doFinal(blob, from, blob.length - from);
        ObjectNode answer = JSON.createObjectNode();
        answer.put("KeyId", key).put("Plaintext", plain).put("EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
        answer(exchange, 200, answer);
    }

    private static Cipher cipher(int mode, String key, byte[] nonce, JsonNode request) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        byte[] secret = MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
        cipher.init(mode, new SecretKeySpec(secret, "AES"), new GCMParameterSpec(128, nonce));
        cipher.updateAAD(request.get("EncryptionContext").toString().getBytes(StandardCharsets.UTF_8));
        return cipher;
    }

    private static boolean hasOnly(JsonNode request, String... names) {
        Set<String> found = new HashSet<>();
        request.fieldNames().forEachRemaining(found::add);
        return found.equals(Set.of(names));
    }

    private static ObjectNode error(String type) {
        return JSON.createObjectNode().put("__type", type).put("message", type);
    }

    private static void answer(HttpExchange exchange, int status, JsonNode body) throws IOException {
        byte[] bytes = JSON.writeValueAsBytes(body);
        exchange.getResponseHeaders().set("Content-Type", "application/x-amz-json-1.1");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
