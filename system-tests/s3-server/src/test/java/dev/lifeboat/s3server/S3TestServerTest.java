// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.s3server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/** The properties of the server that the store relies on, seen through the client library that the store uses. */
final class S3TestServerTest {

    private static final String BUCKET = "lifeboat";

    @TempDir
    Path directory;

    private static S3Client client(S3TestServer server, String secretKey) {
        return S3Client.builder()
                .endpointOverride(server.endpoint())
                .forcePathStyle(true)
                .region(Region.US_EAST_1)
                .httpClientBuilder(UrlConnectionHttpClient.builder())
                .credentialsProvider(StaticCredentialsProvider.create(
                        AwsBasicCredentials.create(S3TestServer.ACCESS_KEY, secretKey)))
                .build();
    }

    @Test
    void anObjectComesBackWholeInPartsAndInTheListing() throws Exception {
        try (S3TestServer server = S3TestServer.onLoopback(directory, BUCKET);
                S3Client s3 = client(server, S3TestServer.SECRET_KEY)) {
            byte[] content = new byte[3 << 20];
            for (int i = 0; i < content.length; i++) {
                content[i] = (byte) (i * 31 + (i >> 11));
            }
            s3.putObject(b -> b.bucket(BUCKET).key("vm/a/seg/1"), RequestBody.fromBytes(content));

            assertThat(s3.getObjectAsBytes(b -> b.bucket(BUCKET).key("vm/a/seg/1"))
                            .asByteArray())
                    .isEqualTo(content);
            assertThat(s3.getObjectAsBytes(
                                    b -> b.bucket(BUCKET).key("vm/a/seg/1").range("bytes=1000000-1000999"))
                            .asByteArray())
                    .isEqualTo(java.util.Arrays.copyOfRange(content, 1000000, 1001000));
            assertThat(s3.listObjectsV2(b -> b.bucket(BUCKET).prefix("vm/a/")).contents())
                    .extracting(S3Object::key)
                    .containsExactly("vm/a/seg/1");
        }
    }

    /**
     * A racer that is told 412 may still be the winner: when its connection breaks after the server has stored the
     * object, the client library tries again and meets its own object (seen about once in 200 rounds). So an owner is
     * found by reading back, never by the status alone, and this is what is held here.
     */
    @Test
    void racingPutsIfAbsentStoreOneObjectAndAnswerYesToNobodyElse() throws Exception {
        int racers = 8;
        ExecutorService pool = Executors.newFixedThreadPool(racers);
        try (S3TestServer server = S3TestServer.onLoopback(directory, BUCKET);
                S3Client s3 = client(server, S3TestServer.SECRET_KEY)) {
            for (int round = 0; round < 30; round++) {
                String key = "owner/" + round;
                CountDownLatch start = new CountDownLatch(1);
                Map<String, Future<Integer>> answers = new LinkedHashMap<>();
                for (int racer = 0; racer < racers; racer++) {
                    String body = "racer " + racer;
                    answers.put(body, pool.submit(() -> {
                        start.await();
                        try {
                            s3.putObject(b -> b.bucket(BUCKET).key(key).ifNoneMatch("*"), RequestBody.fromString(body));
                            return 200;
                        } catch (S3Exception e) {
                            return e.statusCode();
                        }
                    }));
                }
                start.countDown();
                List<String> toldYes = new ArrayList<>();
                for (Map.Entry<String, Future<Integer>> answer : answers.entrySet()) {
                    int status = answer.getValue().get(30, TimeUnit.SECONDS);
                    assertThat(status).isIn(200, 412);
                    if (status == 200) {
                        toldYes.add(answer.getKey());
                    }
                }
                String stored =
                        s3.getObjectAsBytes(b -> b.bucket(BUCKET).key(key)).asUtf8String();
                assertThat(answers).containsKey(stored);
                assertThat(toldYes).as("round " + round).isSubsetOf(stored);
            }
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void aWrongSecretIsRefused() throws Exception {
        try (S3TestServer server = S3TestServer.onLoopback(directory, BUCKET);
                S3Client s3 = client(server, "not the secret")) {
            assertThatThrownBy(() -> s3.listObjectsV2(b -> b.bucket(BUCKET)))
                    .isInstanceOfSatisfying(
                            S3Exception.class, e -> assertThat(e.statusCode()).isEqualTo(403));
        }
    }

    @Test
    void anUnsignedRequestIsRefusedForTheBucketAndForItsObjects() throws Exception {
        try (S3TestServer server = S3TestServer.onLoopback(directory, BUCKET);
                S3Client s3 = client(server, S3TestServer.SECRET_KEY)) {
            s3.putObject(b -> b.bucket(BUCKET).key("vm/a/seg/1"), RequestBody.fromString("memory of a guest"));
            for (String path : List.of("/" + BUCKET, "/" + BUCKET + "/vm/a/seg/1")) {
                HttpRequest request = HttpRequest.newBuilder(URI.create(server.endpoint() + path))
                        .build();
                assertThat(HttpClient.newHttpClient()
                                .send(request, HttpResponse.BodyHandlers.discarding())
                                .statusCode())
                        .as(path)
                        .isEqualTo(403);
            }
        }
    }
}
