// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A strict EC2 metadata service: tokens by PUT with a lifetime only, 401 for any token but the newest, 404 while nothing
 * is planned. Scripted from the test.
 */
final class FakeImds implements AutoCloseable {
    final AtomicInteger tokens = new AtomicInteger();
    final AtomicInteger looks = new AtomicInteger();
    volatile String validToken = "";
    volatile String notice = "";
    volatile int failWith;
    volatile boolean refuseEveryToken;
    volatile boolean reset;

    private final HttpServer server;

    FakeImds() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
        server.createContext("/", this::answer);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    @Override
    public void close() {
        server.stop(0);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            if (reset) {
                return;
            }
            if (failWith != 0) {
                send(exchange, failWith, "out of order");
            } else if (exchange.getRequestURI().getPath().equals("/latest/api/token")) {
                token(exchange);
            } else if (exchange.getRequestURI().getPath().equals("/latest/meta-data/spot/instance-action")) {
                action(exchange);
            } else {
                send(exchange, 404, "");
            }
        }
    }

    private void token(HttpExchange exchange) throws IOException {
        String lifetime = exchange.getRequestHeaders().getFirst("X-aws-ec2-metadata-token-ttl-seconds");
        boolean right = exchange.getRequestMethod().equals("PUT")
                && lifetime != null
                && Integer.parseInt(lifetime) >= 1
                && Integer.parseInt(lifetime) <= 21_600
                && !exchange.getRequestHeaders().containsKey("X-Forwarded-For");
        if (!right) {
            send(exchange, 400, "");
            return;
        }
        validToken = "token-" + tokens.incrementAndGet();
        send(exchange, 200, validToken);
    }

    private void action(HttpExchange exchange) throws IOException {
        looks.incrementAndGet();
        String token = exchange.getRequestHeaders().getFirst("X-aws-ec2-metadata-token");
        if (!exchange.getRequestMethod().equals("GET")) {
            send(exchange, 405, "");
        } else if (refuseEveryToken || validToken.isEmpty() || !validToken.equals(token)) {
            send(exchange, 401, "");
        } else if (notice.isEmpty()) {
            send(exchange, 404, "<html>404 - Not Found</html>");
        } else {
            send(exchange, 200, notice);
        }
    }

    private void send(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        if (bytes.length > 0) {
            exchange.getResponseBody().write(bytes);
        }
    }
}
