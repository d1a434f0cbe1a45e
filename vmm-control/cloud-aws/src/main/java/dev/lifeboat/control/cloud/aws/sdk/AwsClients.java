// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import java.time.Duration;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.sqs.SqsClient;

/** The SDK's clients, with the limits that all calls have. Any thread; whoever opened it closes it. */
final class AwsClients implements AutoCloseable {
    /** Attempts of one call; the SDK waits between them with full jitter. */
    static final int ATTEMPTS = 4;

    private final SdkHttpClient http;
    private final Ec2Client ec2;
    private final SqsClient sqs;
    private final FaultInjection faults;

    private AwsClients(SdkHttpClient http, Ec2Client ec2, SqsClient sqs, FaultInjection faults) {
        this.http = http;
        this.ec2 = ec2;
        this.sqs = sqs;
        this.faults = faults;
    }

    static AwsClients open(AwsSettings settings) {
        // Half of the limit for one attempt: a connection that hangs leaves time for another one.
        Duration attempt = settings.callLimit().dividedBy(2);
        SdkHttpClient http = UrlConnectionHttpClient.builder()
                .connectionTimeout(min(attempt, Duration.ofSeconds(3)))
                .socketTimeout(attempt)
                .build();
        AwsCredentialsProvider credentials = credentials(settings);
        Ec2Client ec2 = configured(Ec2Client.builder(), settings, attempt, credentials)
                .httpClient(http)
                .build();
        SqsClient sqs = configured(SqsClient.builder(), settings, attempt, credentials)
                .httpClient(http)
                .build();
        return new AwsClients(http, ec2, sqs, new FaultInjection(http, credentials, settings));
    }

    Ec2Client ec2() {
        return ec2;
    }

    SqsClient sqs() {
        return sqs;
    }

    FaultInjection faults() {
        return faults;
    }

    private static <B extends AwsClientBuilder<B, ?>> B configured(
            B builder, AwsSettings settings, Duration attempt, AwsCredentialsProvider credentials) {
        settings.endpoint().ifPresent(builder::endpointOverride);
        return builder.region(Region.of(settings.region()))
                .credentialsProvider(credentials)
                .overrideConfiguration(limits(settings.callLimit(), attempt));
    }

    private static ClientOverrideConfiguration limits(Duration call, Duration attempt) {
        return ClientOverrideConfiguration.builder()
                .apiCallTimeout(call)
                .apiCallAttemptTimeout(attempt)
                .retryStrategy(AwsRetryStrategy.standardRetryStrategy().toBuilder()
                        .maxAttempts(ATTEMPTS)
                        .backoffStrategy(
                                BackoffStrategy.exponentialDelay(Duration.ofMillis(100), Duration.ofSeconds(2)))
                        .throttlingBackoffStrategy(
                                BackoffStrategy.exponentialDelay(Duration.ofMillis(500), Duration.ofSeconds(5)))
                        .build())
                .build();
    }

    private static AwsCredentialsProvider credentials(AwsSettings settings) {
        boolean test = settings.endpoint()
                .map(endpoint -> "http".equals(endpoint.getScheme()))
                .orElse(false);
        if (test) {
            return StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));
        }
        return DefaultCredentialsProvider.builder().build();
    }

    private static Duration min(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    @Override
    public void close() {
        ec2.close();
        sqs.close();
        http.close();
    }
}
