// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.MetadataHttp.Answer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.util.Map;
import java.util.Optional;

/**
 * The EC2 instance metadata service, version 2, with the one token that all sources of a host share. Thread-safe; only
 * the token is guarded, so that a slow look of one source does not hold another's.
 */
public final class Imds {
    static final String TOKEN_PATH = "/latest/api/token";
    /** The longest that the service gives. A refused token is replaced at once, so its exact end does not matter. */
    private static final int TOKEN_TTL_SECONDS = 21_600;

    private final MetadataHttp http;
    private Optional<String> token = Optional.empty();

    public Imds(String baseUrl) {
        http = new MetadataHttp(baseUrl);
    }

    /**
     * One document.
     *
     * @return empty when there is none, as where nothing is planned
     * @throws IOException when the service does not answer as it should; look again later
     */
    Optional<Answer> get(String path) throws IOException {
        String first = token("");
        Answer answer = get(path, first);
        if (answer.status() == HttpURLConnection.HTTP_UNAUTHORIZED) {
            // The token has expired or the service was restarted. Once only: a second 401 is an error of its own.
            String second = token(first);
            answer = get(path, second);
            if (answer.status() == HttpURLConnection.HTTP_UNAUTHORIZED) {
                forget(second);
                throw new IOException(http.baseUrl() + path + " refuses the token that the service has just given");
            }
        }
        return switch (answer.status()) {
            case HttpURLConnection.HTTP_OK -> Optional.of(answer);
            case HttpURLConnection.HTTP_NOT_FOUND -> Optional.empty();
            default -> throw new IOException(http.baseUrl() + path + ": HTTP status " + answer.status());
        };
    }

    /** Whether the service at the address is this one. */
    public boolean answers() {
        try {
            return !token("").isEmpty();
        } catch (IOException e) {
            return false;
        }
    }

    private Answer get(String path, String with) throws IOException {
        return http.get(path, Map.of("X-aws-ec2-metadata-token", with), MetadataHttp.LIMIT_MS);
    }

    /** A token that is not the one that was refused. */
    private synchronized String token(String refused) throws IOException {
        if (token.isEmpty() || token.get().equals(refused)) {
            Answer answer = http.put(
                    TOKEN_PATH,
                    Map.of("X-aws-ec2-metadata-token-ttl-seconds", Integer.toString(TOKEN_TTL_SECONDS)),
                    MetadataHttp.LIMIT_MS);
            if (!answer.ok() || answer.body().isEmpty()) {
                throw new IOException("PUT " + http.baseUrl() + TOKEN_PATH + ": HTTP status " + answer.status());
            }
            token = Optional.of(answer.body());
        }
        return token.get();
    }

    private synchronized void forget(String refused) {
        token = token.filter(held -> !held.equals(refused));
    }
}
