// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import com.google.api.client.json.gson.GsonFactory;
import com.google.api.client.util.DateTime;
import com.google.api.services.storage.model.Objects;
import com.google.api.services.storage.model.StorageObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.lifeboat.store.RunCodec;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A strict Google Cloud Storage server in the test's process: multipart uploads with {@code ifGenerationMatch=0} and
 * CRC32C, media reads with ranges, deletes and lists of one bucket, conditions under one lock. It refuses what it does not
 * know; of credentials it only checks that the token is the right one.
 */
final class FakeGoogleStorage implements AutoCloseable {
    static final String BUCKET = "bucket";
    static final String TOKEN = "not-to-be-shown";
    private static final String OBJECTS = "/storage/v1/b/";

    static {
        // Without it each answer waits 40 ms for the client's delayed acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
    }

    private final Map<String, byte[]> objects = new TreeMap<>();
    private final HttpServer server;
    private final ExecutorService threads = Executors.newFixedThreadPool(16);

    FakeGoogleStorage() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
    }

    int port() {
        return server.getAddress().getPort();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            String path = exchange.getRequestURI().getRawPath();
            String bucketAndRest = path.replaceFirst("^(/upload|/download)?" + OBJECTS, "");
            if (!("Bearer " + TOKEN).equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
                error(exchange, 403, "access denied by the fake");
            } else if (bucketAndRest.equals(path)) {
                error(exchange, 501, "the fake knows no " + path);
            } else if (!bucketAndRest.startsWith(BUCKET + "/o")) {
                error(exchange, 404, "The specified bucket does not exist.");
            } else {
                String name = bucketAndRest.substring((BUCKET + "/o").length()).replaceFirst("^/", "");
                route(exchange, path, URLDecoder.decode(name, StandardCharsets.UTF_8), body);
            }
        }
    }

    private void route(HttpExchange exchange, String path, String name, byte[] body) throws IOException {
        Map<String, String> query = query(exchange);
        String what = exchange.getRequestMethod() + (name.isEmpty() ? " all" : " one");
        if (what.equals("POST all") && path.startsWith("/upload") && "multipart".equals(query.get("uploadType"))) {
            insert(exchange, query.get("ifGenerationMatch"), body);
        } else if (what.equals("GET one") && path.startsWith("/download") && "media".equals(query.get("alt"))) {
            read(exchange, name);
        } else if (what.equals("GET all") && path.startsWith(OBJECTS)) {
            list(exchange, query);
        } else if (what.equals("DELETE one") && path.startsWith(OBJECTS)) {
            delete(exchange, name);
        } else {
            error(exchange, 501, "the fake knows no " + what + " with " + query);
        }
    }

    private static Map<String, String> query(HttpExchange exchange) {
        Map<String, String> query = new HashMap<>();
        for (String pair :
                String.valueOf(exchange.getRequestURI().getRawQuery()).split("&")) {
            String[] parts = pair.split("=", 2);
            query.put(parts[0], parts.length < 2 ? "" : URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        return query;
    }

    /** multipart/related: metadata, then content, each behind headers and an empty line. */
    private void insert(HttpExchange exchange, String generation, byte[] body) throws IOException {
        String type = exchange.getRequestHeaders().getFirst("Content-Type");
        if (type == null || !type.startsWith("multipart/related") || generation != null && !generation.equals("0")) {
            error(exchange, 501, "the fake knows no upload of " + type + " with generation " + generation);
            return;
        }
        String text = new String(body, StandardCharsets.ISO_8859_1);
        String line = "--" + type.replaceFirst(".*boundary=\"?([^\";]+)\"?.*", "$1");
        int second = text.indexOf(line, line.length());
        int end = text.lastIndexOf("\r\n" + line + "--");
        int metadataFrom = text.indexOf("\r\n\r\n") + 4;
        int contentFrom = text.indexOf("\r\n\r\n", second) + 4;
        StorageObject object = GsonFactory.getDefaultInstance()
                .fromString(text.substring(metadataFrom, second).trim(), StorageObject.class);
        byte[] content = Arrays.copyOfRange(body, contentFrom, Math.max(contentFrom, end));
        ByteBuffer crc = ByteBuffer.allocate(4).putInt(0, RunCodec.crc32c(ByteBuffer.wrap(content)));
        if (!Base64.getEncoder().encodeToString(crc.array()).equals(object.getCrc32c())) {
            error(exchange, 400, "Provided CRC32C does not match calculated CRC32C");
            return;
        }
        synchronized (objects) {
            if (generation != null && objects.containsKey(object.getName())) {
                error(exchange, 412, "At least one of the pre-conditions you specified did not hold.");
                return;
            }
            objects.put(object.getName(), content);
        }
        json(exchange, 200, "{\"generation\":\"1\"}");
    }

    private void read(HttpExchange exchange, String name) throws IOException {
        byte[] object;
        synchronized (objects) {
            object = objects.get(name);
        }
        if (object == null) {
            error(exchange, 404, "No such object: " + BUCKET + "/" + name);
            return;
        }
        int from = 0;
        int to = object.length;
        String range = exchange.getRequestHeaders().getFirst("Range");
        if (range != null) {
            String[] ends = range.substring("bytes=".length()).split("-");
            from = Integer.parseInt(ends[0]);
            to = Math.min(object.length, Integer.parseInt(ends[1]) + 1);
            if (from >= object.length) {
                error(exchange, 416, "The requested range cannot be satisfied.");
                return;
            }
        }
        exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
        exchange.sendResponseHeaders(range == null ? 200 : 206, to == from ? -1 : to - from);
        exchange.getResponseBody().write(object, from, to - from);
    }

    private void delete(HttpExchange exchange, String name) throws IOException {
        synchronized (objects) {
            if (objects.remove(name) != null) {
                exchange.sendResponseHeaders(204, -1);
                return;
            }
        }
        error(exchange, 404, "No such object: " + BUCKET + "/" + name);
    }

    private void list(HttpExchange exchange, Map<String, String> query) throws IOException {
        int limit = Integer.parseInt(query.getOrDefault("maxResults", "1000"));
        Objects page = new Objects();
        synchronized (objects) {
            List<StorageObject> items = objects.entrySet().stream()
                    .filter(e -> e.getKey().startsWith(query.getOrDefault("prefix", "")))
                    .filter(e -> e.getKey().compareTo(query.getOrDefault("pageToken", "")) > 0)
                    .limit(limit + 1L)
                    .map(e -> new StorageObject()
                            .setName(e.getKey())
                            .setSize(BigInteger.valueOf(e.getValue().length))
                            .setUpdated(new DateTime(System.currentTimeMillis())))
                    .toList();
            if (items.size() > limit) {
                items = items.subList(0, limit);
                page.setNextPageToken(items.get(limit - 1).getName());
            }
            // The service leaves the field out when nothing is found.
            page.setItems(items.isEmpty() ? null : items);
        }
        json(exchange, 200, GsonFactory.getDefaultInstance().toString(page));
    }

    /** Media requests are answered in plain text, the others in JSON. */
    private static void error(HttpExchange exchange, int status, String message) throws IOException {
        if (exchange.getRequestURI().getPath().startsWith("/download")) {
            answer(exchange, status, "text/html; charset=UTF-8", message);
        } else {
            json(
                    exchange,
                    status,
                    "{\"error\":{\"code\":" + status + ",\"message\":\"" + message.replace('"', ' ') + "\"}}");
        }
    }

    private static void json(HttpExchange exchange, int status, String json) throws IOException {
        answer(exchange, status, "application/json; charset=UTF-8", json);
    }

    private static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
