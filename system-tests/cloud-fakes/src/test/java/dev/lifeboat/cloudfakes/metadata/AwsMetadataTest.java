// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class AwsMetadataTest {

    private static final String NOTICE = "/latest/meta-data/spot/instance-action";

    private final HttpClient client = HttpClient.newHttpClient();
    private volatile Instant now = Instant.parse("2026-01-01T00:00:00.700Z");
    private AwsMetadata service;

    @BeforeEach
    void start() throws Exception {
        service = AwsMetadata.start(() -> now);
    }

    @AfterEach
    void stop() {
        service.close();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.port() + path));
    }

    private HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private HttpResponse<String> putToken(String ttl) throws Exception {
        return send(request("/latest/api/token")
                .header("X-aws-ec2-metadata-token-ttl-seconds", ttl)
                .PUT(HttpRequest.BodyPublishers.noBody()));
    }

    private HttpResponse<String> get(String path, String token) throws Exception {
        return send(request(path).header("X-aws-ec2-metadata-token", token));
    }

    @Test
    void theNoticeIs404UntilItIsAnnouncedAndThenNamesTheDeadlineInWholeSeconds() throws Exception {
        String token = putToken("60").body();
        assertThat(get(NOTICE, token).statusCode()).isEqualTo(404);
        service.announceTermination(now.plusSeconds(30));
        assertThat(get(NOTICE, token).body()).isEqualTo("{\"action\":\"terminate\",\"time\":\"2026-01-01T00:00:30Z\"}");
        assertThat(service.noticesRead()).isEqualTo(1);
    }

    @Test
    void aReadWithoutTokenOrWithAnExpiredOrInventedOneIs401() throws Exception {
        service.announceTermination(now.plusSeconds(30));
        assertThat(send(request(NOTICE)).statusCode()).isEqualTo(401);
        assertThat(get(NOTICE, "invented").statusCode()).isEqualTo(401);
        String token = putToken("5").body();
        assertThat(get(NOTICE, token).statusCode()).isEqualTo(200);
        now = now.plusSeconds(5);
        assertThat(get(NOTICE, token).statusCode()).isEqualTo(401);
        assertThat(service.noticesRead()).isEqualTo(1);
    }

    @Test
    void aTokenNeedsAPutAndALifeBetweenOneSecondAndSixHours() throws Exception {
        assertThat(send(request("/latest/api/token")).statusCode()).isEqualTo(405);
        assertThat(send(request("/latest/api/token").PUT(HttpRequest.BodyPublishers.noBody()))
                        .statusCode())
                .isEqualTo(400);
        assertThat(putToken("0").statusCode()).isEqualTo(400);
        assertThat(putToken("21601").statusCode()).isEqualTo(400);
        assertThat(putToken("21600").statusCode()).isEqualTo(200);
    }

    @Test
    void aForwardedRequestIsRefused() throws Exception {
        assertThat(send(request("/latest/api/token")
                                .header("X-Forwarded-For", "10.0.0.1")
                                .header("X-aws-ec2-metadata-token-ttl-seconds", "60")
                                .PUT(HttpRequest.BodyPublishers.noBody()))
                        .statusCode())
                .isEqualTo(403);
    }
}
