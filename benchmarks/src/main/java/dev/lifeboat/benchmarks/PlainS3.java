// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import java.net.URI;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.crt.AwsCrtHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;

/**
 * Uploads by an S3 client of the SDK as it comes, without the store: with the JDK's HTTP client, with that of the common
 * runtime (CRT), and with the CRT's own S3 client. Any thread; whoever opens one closes it.
 */
record PlainS3(String name, Upload upload, AutoCloseable client) implements AutoCloseable {
    private static final long LIMIT_SECONDS = 120;

    /** Puts an object and returns when it is there. */
    @FunctionalInterface
    interface Upload {
        void put(String key, ByteBuffer content) throws Exception;
    }

    static List<PlainS3> all(URI endpoint, String bucket) {
        return List.of(
                blocking("SDK, HttpURLConnection", UrlConnectionHttpClient.create(), endpoint, bucket),
                blocking("SDK, CRT's HTTP client", AwsCrtHttpClient.create(), endpoint, bucket),
                crt(endpoint, bucket));
    }

    private static PlainS3 blocking(String name, SdkHttpClient http, URI endpoint, String bucket) {
        S3Client client = S3Client.builder()
                .httpClient(http)
                .endpointOverride(endpoint)
                .region(Region.US_EAST_1)
                .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
                .serviceConfiguration(S3Configuration.builder()
                        .pathStyleAccessEnabled(true)
                        .chunkedEncodingEnabled(false)
                        .build())
                .build();
        return new PlainS3(
                name,
                (key, content) -> client.putObject(
                        request -> request.bucket(bucket).key(key), RequestBody.fromRemainingByteBuffer(content)),
                () -> {
                    client.close();
                    http.close();
                });
    }

    private static PlainS3 crt(URI endpoint, String bucket) {
        S3AsyncClient client = S3AsyncClient.crtBuilder()
                .endpointOverride(endpoint)
                .region(Region.US_EAST_1)
                .forcePathStyle(true)
                .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
                // As one request each, like the others.
                .thresholdInBytes(64L << 20)
                .build();
        return new PlainS3(
                "CRT's S3 client",
                (key, content) -> client.putObject(
                                request -> request.bucket(bucket).key(key), AsyncRequestBody.fromByteBuffer(content))
                        .get(LIMIT_SECONDS, TimeUnit.SECONDS),
                client);
    }

    @Override
    public void close() throws Exception {
        client.close();
    }
}
