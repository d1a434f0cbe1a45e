// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * A strict S3 server in the test's process: GET with ranges, PUT with If-None-Match and CRC32C,
 * DELETE and ListObjectsV2 of one bucket, conditions under one lock. It refuses what it does not know, and never
 * verifies signatures, only the access key.
 */
final class FakeS3 implements AutoCloseable {
    private static final String SESSION_TOKEN = "session-of-the-fake";

    final Map<String, byte[]> objects = new TreeMap<>();
    private final Map<String, Instant> modified = new HashMap<>();
    private final HttpServer server;
    private final ExecutorService threads = Executors.newFixedThreadPool(16);
    private volatile boolean refusesCredentials;

    static {
        // Without it each answer waits 40 ms for the client's delayed acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
    }

    private final String bucket;
    /** A directory bucket, as of S3 Express One Zone: sessions, prefixes of whole directories, lists in no order. */
    private final boolean express;

    FakeS3(String bucket) throws IOException {
        this.bucket = bucket;
        express = bucket.endsWith("--x-s3");
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
    }

    int port() {
        return server.getAddress().getPort();
    }

    void refuseCredentials() {
        refusesCredentials = true;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            String path = URLDecoder.decode(exchange.getRequestURI().getRawPath(), StandardCharsets.UTF_8);
            String authorization = exchange.getRequestHeaders().getFirst("Authorization");
            if (refusesCredentials || authorization == null) {
                error(exchange, 403, "InvalidAccessKeyId");
            } else if (!path.equals("/" + bucket) && !path.startsWith("/" + bucket + "/")) {
                error(exchange, 404, "NoSuchBucket");
            } else if (express && "session".equals(exchange.getRequestURI().getQuery())) {
                session(exchange);
            } else if (express
                    && !SESSION_TOKEN.equals(exchange.getRequestHeaders().getFirst("x-amz-s3session-token"))) {
                error(exchange, 403, "AccessDenied");
            } else {
                String key = path.length() > bucket.length() + 2 ? path.substring(bucket.length() + 2) : "";
                route(exchange, key, body);
            }
        }
    }

    private void route(HttpExchange exchange, String key, byte[] body) throws IOException {
        switch (exchange.getRequestMethod()) {
            case "PUT" -> put(exchange, key, body);
            case "GET" -> {
                if (key.isEmpty()) {
                    list(exchange);
                } else {
                    get(exchange, key);
                }
            }
            case "DELETE" -> {
                synchronized (objects) {
                    objects.remove(key);
                }
                exchange.sendResponseHeaders(204, -1);
            }
            default -> error(exchange, 501, "NotImplemented");
        }
    }

    private void put(HttpExchange exchange, String key, byte[] body) throws IOException {
        String crc = exchange.getRequestHeaders().getFirst("x-amz-checksum-crc32c");
        ByteBuffer computed = ByteBuffer.allocate(4).putInt(0, RunCodec.crc32c(ByteBuffer.wrap(body)));
        if (!Base64.getEncoder().encodeToString(computed.array()).equals(crc)) {
            error(exchange, 400, "BadDigest");
            return;
        }
        String condition = exchange.getRequestHeaders().getFirst("If-None-Match");
        synchronized (objects) {
            if ("*".equals(condition) && objects.containsKey(key)) {
                error(exchange, 412, "PreconditionFailed");
                return;
            }
            objects.put(key, body);
            modified.put(key, Instant.now().truncatedTo(ChronoUnit.MILLIS));
        }
        exchange.getResponseHeaders().set("ETag", "\"etag\"");
        exchange.sendResponseHeaders(200, -1);
    }

    private void get(HttpExchange exchange, String key) throws IOException {
        byte[] object;
        synchronized (objects) {
            object = objects.get(key);
        }
        if (object == null) {
            error(exchange, 404, "NoSuchKey");
            return;
        }
        int from = 0;
        int to = object.length;
        String range = exchange.getRequestHeaders().getFirst("Range");
        if (range != null) {
            String[] parts = range.substring("bytes=".length()).split("-");
            from = Integer.parseInt(parts[0]);
            to = Math.min(object.length, Integer.parseInt(parts[1]) + 1);
            if (from >= object.length) {
                error(exchange, 416, "InvalidRange");
                return;
            }
            exchange.getResponseHeaders().set("Content-Range", "bytes " + from + "-" + (to - 1) + "/" + object.length);
        }
        exchange.sendResponseHeaders(range == null ? 200 : 206, to - from == 0 ? -1 : to - from);
        exchange.getResponseBody().write(object, from, to - from);
    }

    private void list(HttpExchange exchange) throws IOException {
        Map<String, String> query = new HashMap<>();
        for (String pair : exchange.getRequestURI().getRawQuery().split("&")) {
            String[] parts = pair.split("=", 2);
            query.put(parts[0], parts.length < 2 ? "" : URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        int limit = Integer.parseInt(query.getOrDefault("max-keys", "1000"));
        String prefix = query.getOrDefault("prefix", "");
        if (express && !prefix.isEmpty() && !prefix.endsWith("/")) {
            error(exchange, 400, "InvalidArgument");
            return;
        }
        Comparator<String> order = express ? Comparator.comparing(FakeS3::backwards) : Comparator.naturalOrder();
        Optional<String> after = Optional.ofNullable(query.get("continuation-token"));
        List<String> keys;
        StringBuilder contents = new StringBuilder();
        synchronized (objects) {
            keys = objects.keySet().stream()
                    .filter(k -> k.startsWith(prefix))
                    .filter(k -> after.isEmpty() || order.compare(k, after.get()) > 0)
                    .sorted(order)
                    .limit(limit + 1L)
                    .collect(Collectors.toList());
            for (String key : keys.subList(0, Math.min(limit, keys.size()))) {
                contents.append("<Contents><Key>").append(key).append("</Key><Size>");
                contents.append(objects.get(key).length).append("</Size><LastModified>");
                contents.append(modified.getOrDefault(key, Instant.EPOCH)).append("</LastModified></Contents>");
            }
        }
        boolean more = keys.size() > limit;
        StringBuilder xml = new StringBuilder("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>")
                .append(more)
                .append("</IsTruncated>");
        if (more) {
            xml.append("<NextContinuationToken>").append(keys.get(limit - 1)).append("</NextContinuationToken>");
        }
        answer(exchange, 200, xml.append(contents).append("</ListBucketResult>").toString());
    }

    private static String backwards(String key) {
        return new StringBuilder(key).reverse().toString();
    }

    private void session(HttpExchange exchange) throws IOException {
        answer(
                exchange,
                200,
                "<?xml version=\"1.0\"?><CreateSessionResult><Credentials><SessionToken>" + SESSION_TOKEN
                        + "</SessionToken><SecretAccessKey>s</SecretAccessKey><AccessKeyId>a</AccessKeyId><Expiration>"
                        + Instant.now().plusSeconds(300) + "</Expiration></Credentials></CreateSessionResult>");
    }

    private static void error(HttpExchange exchange, int status, String code) throws IOException {
        answer(
                exchange,
                status,
                "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + code + "</Message></Error>");
    }

    private static void answer(HttpExchange exchange, int status, String xml) throws IOException {
        byte[] bytes = xml.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/xml");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
