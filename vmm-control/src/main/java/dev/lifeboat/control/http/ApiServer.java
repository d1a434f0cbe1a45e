// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small JSON API over HTTPS with mutual TLS: the JDK's server, {@value #THREADS} threads {@code api-N}, a bounded queue
 * in front of them. Requests beyond are cut off, which a client sees as a lost connection and repeats.
 */
public final class ApiServer implements AutoCloseable {
    private static final int THREADS = 16;
    private static final int QUEUED = 64;
    private static final int MAX_BODY_BYTES = 1 << 20;
    private static final Logger LOG = LoggerFactory.getLogger(ApiServer.class);

    static {
        // Read once by the JDK's server. Without nodelay an answer's body waits for the client's delayed ACK, 40 ms.
        setUnlessSet("sun.net.httpserver.nodelay", "true");
        // A client that never finishes its request gives its thread back.
        setUnlessSet("sun.net.httpserver.maxReqTime", "30");
        // Longer than our clients keep an idle connection (ApiClient), so that none is closed under a request.
        setUnlessSet("sun.net.httpserver.idleInterval", "60");
    }

    /**
     * One request: variables of the path pattern, query, body.
     *
     * @param remote IP address of the client
     */
    public record Request(Map<String, String> variables, Map<String, String> query, JsonNode body, String remote) {
        public String variable(String name) {
            return variables.get(name);
        }

        public Optional<String> query(String name) {
            return Optional.ofNullable(query.get(name));
        }

        /** @throws ApiError 400 naming the field that does not fit */
        public <T> T bodyAs(Class<T> type) {
            try {
                return Json.MAPPER.treeToValue(body, type);
            } catch (IOException e) {
                throw new ApiError(400, "request: " + Json.explain(e));
            }
        }
    }

    /** Gives the answer's JSON; throws {@link ApiError} for any status but 200. */
    @FunctionalInterface
    public interface Handler {
        JsonNode handle(Request request) throws Exception;
    }

    private record Route(String method, String[] pattern, Handler handler) {}

    /** Whether a client must show a certificate of the fleet. */
    public enum Clients {
        OF_THE_FLEET,
        ANYBODY
    }

    private final HttpsServer server;
    private final ThreadPoolExecutor executor;
    private final List<Route> routes = new ArrayList<>();
    private final Map<String, Path> files = new HashMap<>();

    /**
     * Binds, does not answer before {@link #start}.
     *
     * @param listen {@code address:port}, port 0 picks one
     */
    public ApiServer(String listen, FleetTls tls) {
        this(listen, tls, Clients.OF_THE_FLEET);
    }

    public ApiServer(String listen, FleetTls tls, Clients clients) {
        InetSocketAddress address = parse(listen);
        try {
            server = HttpsServer.create(address, QUEUED);
        } catch (BindException e) {
            throw new ControlException(
                    ExitCode.MISSING,
                    "cannot listen on " + listen + ": " + e.getMessage() + ". See who has it with: ss -ltnp, or set "
                            + "another address in \"listen\"",
                    e);
        } catch (IOException e) {
            throw new ControlException(ExitCode.FAILED, "cannot listen on " + listen + ": " + e.getMessage(), e);
        }
        server.setHttpsConfigurator(new HttpsConfigurator(tls.context()) {
            @Override
            public void configure(HttpsParameters parameters) {
                parameters.setSSLParameters(
                        clients == Clients.OF_THE_FLEET ? tls.serverParameters() : tls.clientParameters());
            }
        });
        AtomicInteger number = new AtomicInteger();
        executor = new ThreadPoolExecutor(
                THREADS, THREADS, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUED), task -> {
                    Thread thread = new Thread(task, "api-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        executor.allowCoreThreadTimeOut(true);
        server.setExecutor(executor);
        server.createContext("/", this::handle);
    }

    /** Adds a route; {@code pattern} such as {@code /v1/vms/{id}}. Before {@link #start}. */
    public ApiServer route(String method, String pattern, Handler handler) {
        routes.add(new Route(method, pattern.split("/"), handler));
        return this;
    }

    /** Offers a file as it is. Before {@link #start}. */
    public ApiServer file(String path, Path file) {
        files.put(path, file);
        return this;
    }

    public void start() {
        server.start();
    }

    public int port() {
        return server.getAddress().getPort();
    }

    @Override
    public void close() {
        server.stop(0);
        executor.shutdownNow();
    }

    private void handle(HttpExchange exchange) throws IOException {
        int status;
        JsonNode answer;
        try (exchange) {
            Path file = files.get(exchange.getRequestURI().getPath());
            if (file != null && exchange.getRequestMethod().equals("GET")) {
                exchange.sendResponseHeaders(200, Files.size(file));
                Files.copy(file, exchange.getResponseBody());
                return;
            }
            try {
                answer = dispatch(exchange);
                status = 200;
            } catch (ApiError e) {
                status = e.status();
                answer = error(e.getMessage());
            } catch (ControlException e) {
                status = statusOf(e.exitCode());
                answer = error(e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                status = 503;
                answer = error("this process is shutting down");
            } catch (Exception e) {
                LOG.error("{} {} failed", exchange.getRequestMethod(), exchange.getRequestURI(), e);
                status = 500;
                answer = error(e.getMessage() == null ? e.toString() : e.getMessage());
            }
            byte[] bytes = Json.MAPPER.writeValueAsBytes(answer);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
        }
    }

    private JsonNode dispatch(HttpExchange exchange) throws Exception {
        String path = exchange.getRequestURI().getPath();
        String[] parts = path.split("/");
        boolean pathKnown = false;
        for (Route route : routes) {
            Map<String, String> variables = match(route.pattern(), parts);
            if (variables != null) {
                pathKnown = true;
                if (route.method().equals(exchange.getRequestMethod())) {
                    return route.handler()
                            .handle(new Request(
                                    variables,
                                    query(exchange.getRequestURI().getRawQuery()),
                                    body(exchange),
                                    exchange.getRemoteAddress().getAddress().getHostAddress()));
                }
            }
        }
        throw pathKnown
                ? new ApiError(405, exchange.getRequestMethod() + " is not possible on " + path)
                : new ApiError(404, "nothing at " + path);
    }

    private static Map<String, String> match(String[] pattern, String[] path) {
        if (pattern.length != path.length) {
            return null;
        }
        Map<String, String> variables = new HashMap<>();
        for (int i = 0; i < pattern.length; i++) {
            if (pattern[i].startsWith("{")) {
                variables.put(pattern[i].substring(1, pattern[i].length() - 1), path[i]);
            } else if (!pattern[i].equals(path[i])) {
                return null;
            }
        }
        return variables;
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> query = new HashMap<>();
        if (raw != null) {
            for (String pair : raw.split("&")) {
                int equals = pair.indexOf('=');
                if (equals > 0) {
                    query.put(
                            pair.substring(0, equals),
                            URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
                }
            }
        }
        return query;
    }

    private static JsonNode body(HttpExchange exchange) throws IOException {
        byte[] bytes = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
        if (bytes.length > MAX_BODY_BYTES) {
            throw new ApiError(413, "a request is at most " + MAX_BODY_BYTES + " bytes");
        }
        if (bytes.length == 0) {
            return Json.MAPPER.createObjectNode();
        }
        try {
            return Json.MAPPER.readTree(bytes);
        } catch (IOException e) {
            throw new ApiError(400, "request: " + Json.explain(e));
        }
    }

    private static int statusOf(int exitCode) {
        return switch (exitCode) {
            case ExitCode.USAGE -> 400;
            case ExitCode.NOT_FOUND -> 404;
            case ExitCode.MISSING -> 503;
            case ExitCode.UNREACHABLE, ExitCode.NOT_TRUSTED -> 502;
            default -> 500;
        };
    }

    private static ObjectNode error(String message) {
        return Json.MAPPER.createObjectNode().put("error", message);
    }

    private static InetSocketAddress parse(String listen) {
        int colon = listen.lastIndexOf(':');
        try {
            if (colon > 0) {
                String host = listen.substring(0, colon).replace("[", "").replace("]", "");
                return new InetSocketAddress(host, Integer.parseInt(listen.substring(colon + 1)));
            }
        } catch (IllegalArgumentException e) {
            throw new ControlException(
                    ExitCode.USAGE, "\"listen\": \"" + listen + "\" is not ADDRESS:PORT: " + e.getMessage(), e);
        }
        throw new ControlException(ExitCode.USAGE, "\"listen\": \"" + listen + "\" is not ADDRESS:PORT");
    }

    private static void setUnlessSet(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }
}
