// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * Asks the EC2 instance metadata service, version 2, for the spot interruption notice. One thread. HttpURLConnection
 * because it needs no TLS set up and little to load; never by a proxy, for the answer would be another machine's.
 */
final class ImdsClient {
    static final String TOKEN_PATH = "/latest/api/token";
    static final String ACTION_PATH = "/latest/meta-data/spot/instance-action";
    /** The longest that the service gives. A refused token is replaced at once, so its exact end does not matter. */
    private static final int TOKEN_TTL_SECONDS = 21_600;

    private static final int LIMIT_MS = 2_000;
    private static final int MAX_BODY_BYTES = 16_384;
    /** A Date header has whole seconds and the answer takes time to arrive: smaller differences mean nothing. */
    private static final long SKEW_NOISE_MS = 2_000;
    /**
     * The deadline assumed when a notice has no time we can read. AWS gives two minutes; to act early costs nothing, to
     * act late costs the VM.
     */
    private static final long ASSUMED_MS = 30_000;

    private final String baseUrl;
    private final LongSupplier clockMillis;
    private Optional<String> token = Optional.empty();

    ImdsClient(String baseUrl, LongSupplier clockMillis) {
        this.baseUrl = baseUrl.endsWith("/") ? baseUrl.substring(0, baseUrl.length() - 1) : baseUrl;
        this.clockMillis = clockMillis;
    }

    private record Answer(int status, String body, long dateMillis) {}

    /**
     * One look.
     *
     * @return empty when nothing is planned
     * @throws IOException when the service does not answer as it should; look again later
     */
    Optional<SpotNotice> look() throws IOException {
        if (token.isEmpty()) {
            token = Optional.of(newToken());
        }
        Answer answer = get();
        if (answer.status() == HttpURLConnection.HTTP_UNAUTHORIZED) {
            // The token has expired or the service was restarted. Once only: a second 401 is an error of its own.
            token = Optional.of(newToken());
            answer = get();
        }
        return switch (answer.status()) {
            case HttpURLConnection.HTTP_OK -> Optional.of(parse(answer));
            case HttpURLConnection.HTTP_NOT_FOUND -> Optional.empty();
            case HttpURLConnection.HTTP_UNAUTHORIZED -> {
                token = Optional.empty();
                throw new IOException(baseUrl + ACTION_PATH + " refuses the token it has just given");
            }
            default -> throw new IOException(baseUrl + ACTION_PATH + ": HTTP status " + answer.status());
        };
    }

    private SpotNotice parse(Answer answer) throws IOException {
        long now = clockMillis.getAsLong();
        long skew = answer.dateMillis() == 0 ? 0 : answer.dateMillis() - now;
        if (Math.abs(skew) <= SKEW_NOISE_MS) {
            skew = 0;
        }
        JsonNode notice;
        try {
            notice = Json.MAPPER.readTree(answer.body());
        } catch (IOException e) {
            throw new IOException(baseUrl + ACTION_PATH + " answers something else than JSON", e);
        }
        if (!notice.hasNonNull("action")) {
            throw new IOException(baseUrl + ACTION_PATH + " answers without an action: " + answer.body());
        }
        long deadline;
        try {
            deadline = Instant.parse(notice.path("time").asText()).toEpochMilli() - skew;
        } catch (DateTimeParseException e) {
            deadline = now + ASSUMED_MS;
        }
        return new SpotNotice(notice.get("action").asText(), deadline, skew);
    }

    private String newToken() throws IOException {
        HttpURLConnection connection = open(TOKEN_PATH);
        connection.setRequestMethod("PUT");
        connection.setRequestProperty("X-aws-ec2-metadata-token-ttl-seconds", Integer.toString(TOKEN_TTL_SECONDS));
        Answer answer = answer(connection);
        if (answer.status() != HttpURLConnection.HTTP_OK) {
            throw new IOException("PUT " + baseUrl + TOKEN_PATH + ": HTTP status " + answer.status());
        }
        return answer.body();
    }

    private Answer get() throws IOException {
        HttpURLConnection connection = open(ACTION_PATH);
        connection.setRequestProperty("X-aws-ec2-metadata-token", token.orElseThrow());
        return answer(connection);
    }

    private HttpURLConnection open(String path) throws IOException {
        HttpURLConnection connection =
                (HttpURLConnection) URI.create(baseUrl + path).toURL().openConnection(Proxy.NO_PROXY);
        connection.setConnectTimeout(LIMIT_MS);
        connection.setReadTimeout(LIMIT_MS);
        connection.setInstanceFollowRedirects(false);
        connection.setUseCaches(false);
        return connection;
    }

    private static Answer answer(HttpURLConnection connection) throws IOException {
        int status = connection.getResponseCode();
        InputStream stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
        String body = "";
        if (stream != null) {
            // Read to the end and closed: the connection goes back to the pool.
            try (stream) {
                body = new String(stream.readNBytes(MAX_BODY_BYTES), StandardCharsets.UTF_8);
            }
        }
        return new Answer(status, body.strip(), connection.getDate());
    }
}
