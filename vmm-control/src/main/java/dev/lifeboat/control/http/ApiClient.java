// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLException;

/** The client side of {@link ApiServer}. Thread-safe; connections are kept and used again. */
public final class ApiClient {
    /** For somebody who waits at a terminal: TCP and TLS handshake. */
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);

    static {
        // Shorter than the server's idle limit (ApiServer), else a POST may meet a connection that is just closed.
        if (System.getProperty("jdk.httpclient.keepalive.timeout") == null) {
            System.setProperty("jdk.httpclient.keepalive.timeout", "20");
        }
    }

    private final HttpClient client;
    private final UnaryOperator<String> road;
    private final Optional<Duration> connectLimit;
    private final Set<String> answered = ConcurrentHashMap.newKeySet();

    public ApiClient(FleetTls tls) {
        this(tls, Optional.of(CONNECT_LIMIT), UnaryOperator.identity());
    }

    private ApiClient(FleetTls tls, Optional<Duration> connectLimit, UnaryOperator<String> road) {
        this.road = road;
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .proxy(HttpClient.Builder.NO_PROXY)
                .sslContext(tls.context())
                .sslParameters(tls.clientParameters());
        connectLimit.ifPresent(builder::connectTimeout);
        this.connectLimit = connectLimit;
        client = builder.build();
    }

    /**
     * A client whose handshakes may take as long as the request they are for. Between hosts: one that is busy starting
     * needs many seconds for its first handshake, and would never be reached by somebody who always gives up before.
     */
    public static ApiClient patient(FleetTls tls) {
        return patient(tls, UnaryOperator.identity());
    }

    /** @param road from a base URL to the one that leads there from here, such as that of a forwarded port */
    public static ApiClient patient(FleetTls tls, UnaryOperator<String> road) {
        return new ApiClient(tls, Optional.empty(), road);
    }

    public JsonNode get(String baseUrl, String path, long timeoutMs) {
        return send("GET", baseUrl, path, null, timeoutMs);
    }

    public JsonNode post(String baseUrl, String path, JsonNode body, long timeoutMs) {
        return send("POST", baseUrl, path, body, timeoutMs);
    }

    public JsonNode delete(String baseUrl, String path, long timeoutMs) {
        return send("DELETE", baseUrl, path, null, timeoutMs);
    }

    /**
     * @throws ApiError when the other side answers with an error
     * @throws ControlException when it cannot be reached, is not trusted, or does not answer in time
     */
    private JsonNode send(String method, String url, String path, JsonNode body, long timeoutMs) {
        String baseUrl = road.apply(url);
        URI uri;
        HttpRequest request;
        try {
            uri = URI.create(
                    baseUrl.endsWith("/") ? baseUrl.substring(0, baseUrl.length() - 1) + path : baseUrl + path);
            request = HttpRequest.newBuilder(uri)
                    .timeout(Duration.ofMillis(Math.max(1, timeoutMs)))
                    .header("Content-Type", "application/json")
                    .method(
                            method,
                            body == null
                                    ? HttpRequest.BodyPublishers.noBody()
                                    : HttpRequest.BodyPublishers.ofByteArray(Json.MAPPER.writeValueAsBytes(body)))
                    .build();
        } catch (IllegalArgumentException | IOException e) {
            throw new ControlException(ExitCode.USAGE, "\"" + baseUrl + "\" is not a URL such as https://host:7443", e);
        }
        HttpResponse<byte[]> response;
        JsonNode answer;
        try {
            response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            answer = Json.MAPPER.readTree(response.body());
        } catch (HttpConnectTimeoutException e) {
            long limitMs = connectLimit
                    .map(limit -> Math.min(limit.toMillis(), timeoutMs))
                    .orElse(timeoutMs);
            throw new ControlException(
                    ExitCode.UNREACHABLE,
                    "no connection to " + baseUrl + " within " + limitMs + " ms. Is the host up, and the port open?",
                    e);
        } catch (HttpTimeoutException e) {
            throw new ControlException(
                    ExitCode.UNREACHABLE, method + " " + uri + ": no answer within " + timeoutMs + " ms", e);
        } catch (ConnectException e) {
            throw new ControlException(
                    ExitCode.UNREACHABLE,
                    "nobody answers at " + baseUrl + ". Is the agent running there, and is the port open?",
                    e);
        } catch (SSLException e) {
            throw new ControlException(ExitCode.NOT_TRUSTED, explain(baseUrl, e), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ControlException(ExitCode.FAILED, method + " " + uri + " was interrupted", e);
        } catch (IOException e) {
            SSLException tls = causedByTls(e);
            if (tls != null) {
                throw new ControlException(ExitCode.NOT_TRUSTED, explain(baseUrl, tls), e);
            }
            if (!answered.contains(baseUrl)) {
                // The JDK's server drops a client whose certificate it refuses without a TLS alert: all that is seen
                // here is the end of the connection. Once a request was answered, it can only be something else.
                throw new ControlException(
                        ExitCode.NOT_TRUSTED,
                        baseUrl + " ended the connection without an answer; it does so when it does not trust our"
                                + " certificate. Both sides need certificates of the same fleet authority (lifeboat certs;"
                                + " --tls-dir)",
                        e);
            }
            String reason = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            throw new ControlException(ExitCode.UNREACHABLE, method + " " + uri + ": " + reason, e);
        }
        answered.add(baseUrl);
        if (response.statusCode() != 200) {
            throw new ApiError(
                    response.statusCode(), answer.path("error").asText("HTTP status " + response.statusCode()));
        }
        return answer;
    }

    private static SSLException causedByTls(Throwable e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof SSLException tls) {
                return tls;
            }
        }
        return null;
    }

    private static String explain(String baseUrl, SSLException e) {
        return "TLS with " + baseUrl + " failed: " + e.getMessage()
                + ". Both sides need certificates of the same fleet authority, made for the address used"
                + " (lifeboat certs; --tls-dir)";
    }
}
