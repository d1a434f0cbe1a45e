// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignedRequest;
import software.amazon.awssdk.regions.PartitionMetadata;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.api.BackoffStrategy;

/**
 * The four calls of Fault Injection Service that a rehearsal makes (API 2020-12-01, JSON), signed and sent by the SDK's own
 * parts: they need no client of a module of their own. Errors are the SDK's exceptions. Any thread; the HTTP client is not
 * owned.
 */
final class FaultInjection {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SIGNING_NAME = "fis";
    private static final int SERVER_ERROR = 500;
    private static final int TOO_MANY = 429;
    private static final int REFUSED = 400;

    private final AwsV4HttpSigner signer = AwsV4HttpSigner.create();
    private final BackoffStrategy backoff =
            BackoffStrategy.exponentialDelay(Duration.ofMillis(100), Duration.ofSeconds(2));
    private final SdkHttpClient http;
    private final AwsCredentialsProvider credentials;
    private final String region;
    private final URI endpoint;
    private final Duration callLimit;

    FaultInjection(SdkHttpClient http, AwsCredentialsProvider credentials, AwsSettings settings) {
        this.http = http;
        this.credentials = credentials;
        region = settings.region();
        endpoint = settings.endpoint()
                .orElseGet(() -> URI.create("https://fis." + region + "."
                        + PartitionMetadata.of(Region.of(region)).dnsSuffix()));
        callLimit = settings.callLimit();
    }

    /** @param template with a {@code clientToken}: the call may be repeated */
    String createTemplate(ObjectNode template) {
        return call(SdkHttpMethod.POST, "/experimentTemplates", template.toString())
                .path("experimentTemplate")
                .path("id")
                .asText();
    }

    void deleteTemplate(String id) {
        call(SdkHttpMethod.DELETE, "/experimentTemplates/" + id, "");
    }

    /** @param start with a {@code clientToken}: the call may be repeated */
    String startExperiment(ObjectNode start) {
        return call(SdkHttpMethod.POST, "/experiments", start.toString())
                .path("experiment")
                .path("id")
                .asText();
    }

    /** Of an experiment: {@code status} and {@code reason}. */
    JsonNode state(String id) {
        return call(SdkHttpMethod.GET, "/experiments/" + id, "")
                .path("experiment")
                .path("state");
    }

    /** Repeated when it may help and there is time, with full jitter as the SDK does. */
    private JsonNode call(SdkHttpMethod method, String path, String body) {
        long endNs = System.nanoTime() + callLimit.toNanos();
        for (int attempt = 1; ; attempt++) {
            RuntimeException failure;
            try {
                return send(method, path, body);
            } catch (AwsServiceException e) {
                if (e.statusCode() < SERVER_ERROR && e.statusCode() != TOO_MANY && !e.isThrottlingException()) {
                    throw e;
                }
                failure = e;
            } catch (IOException e) {
                failure = SdkClientException.create("no answer from " + endpoint + ": " + e, e);
            }
            Duration delay = backoff.computeDelay(attempt);
            if (attempt == AwsClients.ATTEMPTS || System.nanoTime() + delay.toNanos() - endNs >= 0) {
                throw failure;
            }
            sleep(delay);
        }
    }

    private JsonNode send(SdkHttpMethod method, String path, String body) throws IOException {
        SdkHttpRequest.Builder request =
                SdkHttpRequest.builder().method(method).uri(endpoint).encodedPath(path);
        ContentStreamProvider payload = body.isEmpty() ? null : ContentStreamProvider.fromUtf8String(body);
        if (payload != null) {
            request.putHeader("Content-Type", "application/json");
        }
        SignedRequest signed = signer.sign(sign -> sign.identity(credentials.resolveCredentials())
                .request(request.build())
                .payload(payload)
                .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, SIGNING_NAME)
                .putProperty(AwsV4HttpSigner.REGION_NAME, region));
        HttpExecuteResponse response = http.prepareRequest(HttpExecuteRequest.builder()
                        .request(signed.request())
                        .contentStreamProvider(signed.payload().orElse(null))
                        .build())
                .call();
        String text;
        try (var content = response.responseBody().orElse(null)) {
            text = content == null ? "" : new String(content.readAllBytes(), StandardCharsets.UTF_8);
        }
        int status = response.httpResponse().statusCode();
        if (status >= REFUSED) {
            throw refusal(
                    status,
                    response.httpResponse()
                            .firstMatchingHeader("x-amzn-ErrorType")
                            .orElse(""),
                    text);
        }
        return text.isEmpty() ? JSON.createObjectNode() : JSON.readTree(text);
    }

    /** @param type such as {@code ValidationException:http://...} */
    private static AwsServiceException refusal(int status, String type, String text) {
        String message = text;
        try {
            JsonNode body = JSON.readTree(text);
            message = body.path("message").asText(body.path("Message").asText(text));
        } catch (IOException notJson) {
            // Of a machine between here and there; what it says is all there is.
            message = text;
        }
        String code = type.isEmpty() ? "HTTP " + status : type.split(":")[0];
        return AwsServiceException.builder()
                .statusCode(status)
                .message(message)
                .awsErrorDetails(AwsErrorDetails.builder()
                        .serviceName(SIGNING_NAME.toUpperCase(Locale.ROOT))
                        .errorCode(code)
                        .errorMessage(message)
                        .build())
                .build();
    }

    private static void sleep(Duration delay) {
        try {
            Thread.sleep(delay.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw AbortedException.create("interrupted between two attempts", e);
        }
    }
}
