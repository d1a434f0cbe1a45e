// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;

/**
 * Requests to an instance metadata service, on the caller's thread. HttpURLConnection because it needs no TLS set up and
 * little to load; never by a proxy, for the answer would be another machine's.
 */
public final class MetadataHttp {
    public static final int LIMIT_MS = 2_000;
    /** The longest documents are Azure's lists of events, some hundred bytes each. */
    private static final int MAX_BODY_BYTES = 256 * 1024;

    private final String baseUrl;

    /** @param baseUrl such as {@code http://169.254.169.254} */
    public MetadataHttp(String baseUrl) {
        this.baseUrl = baseUrl.endsWith("/") ? baseUrl.substring(0, baseUrl.length() - 1) : baseUrl;
        if (!this.baseUrl.matches("http://[^/]+")) {
            throw new IllegalArgumentException("the metadata service's URL must be http://HOST[:PORT], not " + baseUrl);
        }
    }

    /**
     * @param body without white space around it
     * @param dateMillis of the Date header; 0 without one
     * @param etag of the ETag header
     * @param flavor of the Metadata-Flavor header, which only Google's service sends
     */
    public record Answer(int status, String body, long dateMillis, Optional<String> etag, Optional<String> flavor) {
        public boolean ok() {
            return status == HttpURLConnection.HTTP_OK;
        }
    }

    public String baseUrl() {
        return baseUrl;
    }

    public Answer get(String path, Map<String, String> headers, int limitMs) throws IOException {
        return answer(open("GET", path, headers, limitMs), path);
    }

    public Answer put(String path, Map<String, String> headers, int limitMs) throws IOException {
        return answer(open("PUT", path, headers, limitMs), path);
    }

    public Answer post(String path, Map<String, String> headers, String body, int limitMs) throws IOException {
        HttpURLConnection connection = open("POST", path, headers, limitMs);
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        connection.setDoOutput(true);
        // Also keeps HttpURLConnection from repeating a POST by itself.
        connection.setFixedLengthStreamingMode(bytes.length);
        try (var out = connection.getOutputStream()) {
            out.write(bytes);
        }
        return answer(connection, path);
    }

    private HttpURLConnection open(String method, String path, Map<String, String> headers, int limitMs)
            throws IOException {
        HttpURLConnection connection =
                (HttpURLConnection) URI.create(baseUrl + path).toURL().openConnection(Proxy.NO_PROXY);
        connection.setRequestMethod(method);
        connection.setConnectTimeout(LIMIT_MS);
        connection.setReadTimeout(limitMs);
        connection.setInstanceFollowRedirects(false);
        connection.setUseCaches(false);
        headers.forEach(connection::setRequestProperty);
        return connection;
    }

    private Answer answer(HttpURLConnection connection, String path) throws IOException {
        try {
            int status = connection.getResponseCode();
            if (status < 0) {
                throw new IOException("the answer is not HTTP");
            }
            InputStream stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
            String body = "";
            if (stream != null) {
                // Read to the end and closed: the connection goes back to the pool.
                try (stream) {
                    body = new String(stream.readNBytes(MAX_BODY_BYTES), StandardCharsets.UTF_8);
                }
            }
            long length = connection.getContentLengthLong();
            if (length >= 0 && body.getBytes(StandardCharsets.UTF_8).length < Math.min(length, MAX_BODY_BYTES)) {
                throw new IOException("the answer ends in its middle");
            }
            return new Answer(
                    status,
                    body.strip(),
                    connection.getDate(),
                    Optional.ofNullable(connection.getHeaderField("ETag")),
                    Optional.ofNullable(connection.getHeaderField("Metadata-Flavor")));
        } catch (IOException e) {
            throw new IOException(
                    connection.getRequestMethod() + " " + baseUrl + path + ": "
                            + (e.getMessage() == null ? e.toString() : e.getMessage()),
                    e);
        }
    }
}
