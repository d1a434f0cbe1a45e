// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.cloud;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The instance metadata service of one EC2 spot instance, version 2 only and strict about it: every read needs a token
 * from a PUT, tokens end, {@code X-Forwarded-For} is refused. The notice is 404 until it is announced.
 *
 * <p>Served by two daemon threads {@code metadata-N} on 127.0.0.1. Shapes after the EC2 user guide: "Use IMDSv2",
 * "Spot Instance interruption notices", "Rebalance recommendations".
 */
public final class MetadataService implements AutoCloseable {

    private static final int MAX_TTL_SECONDS = 21_600;
    private static final String TOKEN_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds";
    private static final String TOKEN_HEADER = "X-aws-ec2-metadata-token";

    private final HttpServer server;
    private final ExecutorService threads;
    private final InstantSource clock;
    private final Map<String, Instant> tokenEnds = new ConcurrentHashMap<>();
    private final Map<String, String> documents = new ConcurrentHashMap<>();
    private final AtomicInteger noticesRead = new AtomicInteger();

    private MetadataService(HttpServer server, ExecutorService threads, InstantSource clock) {
        this.server = server;
        this.threads = threads;
        this.clock = clock;
    }

    public static MetadataService start(InstantSource clock) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
        AtomicInteger number = new AtomicInteger();
        ExecutorService threads = Executors.newFixedThreadPool(2, action -> {
            Thread thread = new Thread(action, "metadata-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        MetadataService service = new MetadataService(server, threads, clock);
        service.documents.put("/latest/meta-data/instance-id", "i-0123456789abcdef0");
        service.documents.put("/latest/meta-data/instance-life-cycle", "spot");
        server.setExecutor(threads);
        server.createContext("/", service::handle);
        server.start();
        return service;
    }

    public int port() {
        return server.getAddress().getPort();
    }

    /** The instance will be terminated at {@code deadline}. */
    public void announceTermination(Instant deadline) {
        // The service counts in whole seconds; rounding down keeps the promise it makes.
        String time = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss'Z'")
                .withZone(ZoneOffset.UTC)
                .format(deadline);
        documents.put("/latest/meta-data/spot/instance-action", "{\"action\":\"terminate\",\"time\":\"" + time + "\"}");
        documents.put("/latest/meta-data/spot/termination-time", time);
    }

    /** The instance is likely to be interrupted; no time is known. */
    public void recommendRebalance() {
        documents.put(
                "/latest/meta-data/events/recommendations/rebalance",
                "{\"noticeTime\":\"" + clock.instant().truncatedTo(java.time.temporal.ChronoUnit.SECONDS) + "\"}");
    }

    /** How often somebody with a good token has read the notice. */
    public int noticesRead() {
        return noticesRead.get();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            if (exchange.getRequestHeaders().containsKey("X-Forwarded-For")) {
                answer(exchange, 403, "forwarded requests are refused");
            } else if (path.equals("/latest/api/token")) {
                token(exchange);
            } else if (!exchange.getRequestMethod().equals("GET")) {
                answer(exchange, 405, "");
            } else if (!hasGoodToken(exchange)) {
                answer(exchange, 401, "");
            } else {
                String document = documents.get(path);
                if (document == null) {
                    answer(exchange, 404, "");
                } else {
                    if (path.endsWith("/instance-action")) {
                        noticesRead.incrementAndGet();
                    }
                    answer(exchange, 200, document);
                }
            }
        }
    }

    private void token(HttpExchange exchange) throws IOException {
        if (!exchange.getRequestMethod().equals("PUT")) {
            answer(exchange, 405, "");
            return;
        }
        String ttl = exchange.getRequestHeaders().getFirst(TOKEN_TTL_HEADER);
        if (ttl == null || !ttl.matches("[1-9][0-9]{0,4}") || Integer.parseInt(ttl) > MAX_TTL_SECONDS) {
            answer(exchange, 400, "");
            return;
        }
        String token = UUID.randomUUID().toString();
        tokenEnds.put(token, clock.instant().plusSeconds(Long.parseLong(ttl)));
        exchange.getResponseHeaders().set(TOKEN_TTL_HEADER, ttl);
        answer(exchange, 200, token);
    }

    private boolean hasGoodToken(HttpExchange exchange) {
        String token = exchange.getRequestHeaders().getFirst(TOKEN_HEADER);
        if (token == null) {
            return false;
        }
        Instant end = tokenEnds.get(token);
        return end != null && clock.instant().isBefore(end);
    }

    private static void answer(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getRequestBody().readAllBytes();
        exchange.getResponseHeaders().set("Content-Type", "text/plain");
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
