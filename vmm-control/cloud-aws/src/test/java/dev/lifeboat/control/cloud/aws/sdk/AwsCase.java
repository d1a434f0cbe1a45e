// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.aws.AwsFake;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudSettings;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** The real SDK against the fake. After each test every call that was made must be one that the policy allows. */
abstract class AwsCase {
    static final String ZONE_A = "eu-central-1a";
    static final String ZONE_B = "eu-central-1b";
    static final String SUBNET_A = "subnet-0123456789abcde0a";
    static final String SUBNET_B = "subnet-0123456789abcde0b";
    static final String FIS_ROLE = "arn:aws:iam::123456789012:role/lifeboat-rehearsal";
    static final String FLEET = "ci";
    static final Instant START = Instant.parse("2026-11-27T12:00:00Z");

    final AtomicReference<Instant> now = new AtomicReference<>(START);
    AwsFake fake;
    AwsCloud cloud;

    /** Stands still unless a test moves it. */
    InstantSource clock() {
        return now::get;
    }

    @BeforeEach
    void openTheCloud() throws IOException {
        fake = new AwsFake(clock());
        cloud = open(Map.of(), Duration.ofSeconds(6));
    }

    @AfterEach
    void everyCallIsInThePolicyAndEveryFaultWasMet() {
        cloud.close();
        List<String> allowed =
                Arrays.stream(AwsPermission.values()).map(AwsPermission::call).toList();
        assertThat(allowed).containsAll(fake.calls());
        assertThat(fake.faultsLeft()).isZero();
        fake.close();
    }

    AwsCloud open(Map<String, String> more, Duration callLimit) {
        return open(more, callLimit, callLimit.multipliedBy(3));
    }

    /** @param effectLimit for what EC2 has said yes to and not done yet */
    AwsCloud open(Map<String, String> more, Duration callLimit, Duration effectLimit) {
        AwsSettings settings = AwsSettings.of(settings(more, callLimit));
        AwsWait wait = new AwsWait(Duration.ofMillis(20), effectLimit);
        return new AwsCloud(settings, AwsClients.open(settings), clock(), wait);
    }

    CloudSettings settings(Map<String, String> more, Duration callLimit) {
        Map<String, String> options = new HashMap<>(Map.of(
                "image",
                "ami-0123456789abcdef0",
                "subnet",
                ZONE_A + "=" + SUBNET_A + "," + ZONE_B + "=" + SUBNET_B,
                "securityGroups",
                "sg-0123456789abcdef0",
                "instanceProfile",
                "lifeboat-host",
                "queueUrl",
                fake.queueUrl(),
                "fisRole",
                FIS_ROLE));
        options.putAll(more);
        return new CloudSettings(
                CloudKind.AWS,
                AwsFake.REGION,
                Optional.of(ZONE_A),
                Optional.of(URI.create(fake.url())),
                options,
                callLimit);
    }

    static Predicate<FakeRequest> calling(String action) {
        return request -> request.body().startsWith("Action=" + action + "&")
                || request.header("x-amz-target").orElse("").endsWith("." + action);
    }

    static CloudException refusal(ThrowingCallable call) {
        CloudException refusal = catchThrowableOfType(CloudException.class, call);
        assertThat(refusal).as("a CloudException").isNotNull();
        assertThat(refusal.getMessage()).doesNotContain("\n");
        return refusal;
    }
}
