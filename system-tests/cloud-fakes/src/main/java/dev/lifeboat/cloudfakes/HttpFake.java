// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * An HTTP server on 127.0.0.1 that records every request and can be made to fail: the base of every fake. Served by
 * daemon threads {@code NAME-N}, at most {@value #MAX_THREADS}; a request that hangs holds one of them.
 */
public abstract class HttpFake implements AutoCloseable {
    private static final int MAX_THREADS = 32;
    private static final int MAX_BODY_BYTES = 4 * 1024 * 1024;

    private record Planned(Predicate<FakeRequest> when, Fault fault) {}

    private final HttpServer server;
    private final ExecutorService threads;
    private final InstantSource clock;
    private final List<FakeRequest> requests = new CopyOnWriteArrayList<>();
    private final ConcurrentLinkedQueue<Planned> faults = new ConcurrentLinkedQueue<>();

    protected HttpFake(String name, InstantSource clock) throws IOException {
        this.clock = clock;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        AtomicInteger number = new AtomicInteger();
        threads = Executors.newFixedThreadPool(MAX_THREADS, action -> {
            Thread thread = new Thread(action, name + "-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    /** What a good service answers. Called by several threads. */
    protected abstract FakeAnswer answer(FakeRequest request) throws IOException, InterruptedException;

    protected final InstantSource clock() {
        return clock;
    }

    public final int port() {
        return server.getAddress().getPort();
    }

    public final String url() {
        return "http://127.0.0.1:" + port();
    }

    /** Everything asked so far, in the order of arrival. */
    public final List<FakeRequest> requests() {
        return List.copyOf(requests);
    }

    public final List<FakeRequest> requests(Predicate<FakeRequest> which) {
        return requests.stream().filter(which).toList();
    }

    /** The next request that fits meets this fault; one fault a call. */
    public final void failNext(Predicate<FakeRequest> when, Fault fault) {
        faults.add(new Planned(when, fault));
    }

    /** Faults that have met no request yet: a test that planned them wants 0. */
    public final int faultsLeft() {
        return faults.size();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            FakeRequest request = read(exchange);
            requests.add(request);
            Fault fault = take(request);
            try {
                if (fault == null) {
                    send(exchange, answer(request), false);
                } else {
                    fail(exchange, request, fault);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void fail(HttpExchange exchange, FakeRequest request, Fault fault)
            throws IOException, InterruptedException {
        Thread.sleep(fault.delay().toMillis());
        FakeAnswer right = fault.takesEffect() ? answer(request) : FakeAnswer.empty(500);
        if (!fault.cut()) {
            send(exchange, fault.instead().orElse(right), false);
        } else if (fault.instead().isPresent()) {
            send(exchange, fault.instead().get(), true);
        }
        // Without an answer: closing the exchange cuts the connection.
    }

    private Fault take(FakeRequest request) {
        for (Planned planned : faults) {
            if (planned.when().test(request) && faults.remove(planned)) {
                return planned.fault();
            }
        }
        return null;
    }

    private static FakeRequest read(HttpExchange exchange) throws IOException {
        Map<String, List<String>> headers = new TreeMap<>();
        exchange.getRequestHeaders()
                .forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), new ArrayList<>(values)));
        String body = new String(exchange.getRequestBody().readNBytes(MAX_BODY_BYTES), StandardCharsets.UTF_8);
        return new FakeRequest(exchange.getRequestMethod(), exchange.getRequestURI(), headers, body);
    }

    private void send(HttpExchange exchange, FakeAnswer answer, boolean cut) throws IOException {
        byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
        answer.headers().forEach((name, value) -> exchange.getResponseHeaders().set(name, value));
        exchange.getResponseHeaders()
                .set(
                        "Date",
                        DateTimeFormatter.RFC_1123_DATE_TIME.format(
                                clock.instant().atZone(ZoneOffset.UTC)));
        exchange.sendResponseHeaders(answer.status(), body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body, 0, cut ? body.length / 2 : body.length);
        exchange.getResponseBody().flush();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
