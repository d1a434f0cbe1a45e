// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.auth.Credentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;

/**
 * The API without the SDK's types, for fields they lack ({@code preemptionNoticeDuration}) and for what they cannot
 * write (an empty list, which they leave out). Any thread.
 */
final class GoogleRest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** An answer that is not 2xx. */
    static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final int status;

        Refused(int status, String message) {
            super(message);
            this.status = status;
        }

        int status() {
            return status;
        }
    }

    private final HttpClient http;
    private final Credentials credentials;
    private final Duration limit;

    GoogleRest(Credentials credentials, Duration limit) {
        this.credentials = credentials;
        this.limit = limit;
        http = HttpClient.newBuilder().connectTimeout(limit.dividedBy(2)).build();
    }

    /** Repeats what may pass; the request must carry an id that makes that harmless. */
    JsonNode call(String method, URI uri, String body) throws ExecutionException, InterruptedException {
        return GoogleRepeats.until(
                GoogleRepeats.ofCall(limit), GoogleRest::mayPass, never -> false, () -> once(method, uri, body));
    }

    private static boolean mayPass(Throwable failure) {
        int status = GoogleErrors.status(failure);
        return failure instanceof IOException || status == 429 || status >= 500;
    }

    private JsonNode once(String method, URI uri, String body) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .timeout(limit.dividedBy(2))
                .header("Content-Type", "application/json; charset=utf-8")
                .method(
                        method,
                        body.isEmpty()
                                ? HttpRequest.BodyPublishers.noBody()
                                : HttpRequest.BodyPublishers.ofString(body));
        for (Map.Entry<String, List<String>> header :
                credentials.getRequestMetadata(uri).entrySet()) {
            header.getValue().forEach(value -> request.header(header.getKey(), value));
        }
        HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) {
            throw new Refused(answer.statusCode(), message(answer));
        }
        return JSON.readTree(answer.body());
    }

    private static String message(HttpResponse<String> answer) {
        try {
            JsonNode error = JSON.readTree(answer.body()).path("error");
            String reason = error.path("errors").path(0).path("reason").asText();
            return answer.statusCode() + " " + reason + ": "
                    + error.path("message").asText();
        } catch (JsonProcessingException e) {
            return answer.statusCode() + " with an answer that is not JSON";
        }
    }

    static String write(JsonNode body) {
        try {
            return JSON.writeValueAsString(body);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
