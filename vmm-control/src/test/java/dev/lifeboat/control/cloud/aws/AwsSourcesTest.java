// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.metadata.AwsMetadata;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.RecordingSink;
import dev.lifeboat.control.cloud.Signal;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class AwsSourcesTest {
    /** Beyond the moment a test takes, and what whole seconds can hide. */
    private static final long TOLERANCE_MS = 3_000;

    private static final Predicate<FakeRequest> ACTION =
            request -> request.path().equals(AwsMetadata.ACTION);
    private static final Predicate<FakeRequest> TOKEN =
            request -> request.path().equals(AwsMetadata.TOKEN);

    private volatile long aheadMs;
    private AwsMetadata service;
    private List<PreemptionSource> sources;

    @BeforeEach
    void start() throws Exception {
        service = AwsMetadata.start(() -> Instant.now().plusMillis(aheadMs));
        sources = AwsSources.all(service.url(), Clocks.SYSTEM, 20);
    }

    @AfterEach
    void stop() {
        service.close();
    }

    private PreemptionSource source(String name) {
        return sources.stream()
                .filter(one -> one.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static long leftMs(Signal signal) {
        return Clocks.SYSTEM.leftMillis(signal.deadlineNs().orElseThrow());
    }

    @Test
    void nothingStandsUntilTheNoticeAndTheNoticeCarriesActionAndDeadline() throws Exception {
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            sink.awaitCalm();
            service.announceTermination(Instant.now().plusSeconds(108));
            Signal signal = sink.awaitSignal();
            assertThat(signal.kind()).isEqualTo(Signal.Kind.NOTICE);
            assertThat(signal.action()).isEqualTo("terminate");
            assertThat(signal.confidence()).isEqualTo(Signal.Confidence.HIGH);
            assertThat(leftMs(signal)).isCloseTo(108_000L, within(TOLERANCE_MS));
            service.withdraw();
            sink.awaitCalm();
            assertThat(sink.failures).isEmpty();
        }
    }

    @Test
    void allSourcesShareOneToken() throws Exception {
        for (PreemptionSource source : sources) {
            try (RecordingSink sink = new RecordingSink(source)) {
                sink.await(() -> !sink.reports.isEmpty(), "a look");
            }
        }
        assertThat(service.requests(TOKEN)).hasSize(1);
    }

    @Test
    void aTokenThatHasExpiredOrIsForgottenIsReplacedWithoutAFailure() throws Exception {
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            sink.awaitCalm();
            service.forgetTokens();
            service.announceTermination(Instant.now().plusSeconds(100));
            sink.awaitSignal();
            aheadMs = Duration.ofHours(7).toMillis();
            sink.await(() -> service.requests(TOKEN).size() >= 3, "a third token");
            assertThat(sink.failures).isEmpty();
        }
    }

    @Test
    void aServiceThatRefusesTheTokenItGaveIsAFailureNotALoop() throws Exception {
        service.failNext(ACTION, Fault.status(FakeAnswer.empty(401)));
        service.failNext(ACTION, Fault.status(FakeAnswer.empty(401)));
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            sink.awaitFailure("refuses the token");
            sink.awaitCalm();
            assertThat(service.faultsLeft()).isZero();
            assertThat(sink.failures).hasSize(1);
        }
    }

    @Test
    void throttlingErrorsCutsAndHalfAnswersAreToldAndTheNextLookHasTheNotice() throws Exception {
        FakeAnswer good = FakeAnswer.json(200, "{\"action\":\"terminate\",\"time\":\"2099-01-01T00:00:00Z\"}");
        for (Fault fault : List.of(
                Fault.status(FakeAnswer.empty(429)),
                Fault.status(FakeAnswer.empty(503)),
                Fault.halfAnswer(good),
                Fault.status(FakeAnswer.of(200, "text/html", "<html>captive portal</html>")),
                Fault.status(FakeAnswer.json(200, "{\"time\":\"2026-03-31T16:34:24Z\"}")))) {
            service.failNext(ACTION, fault);
        }
        service.failNext(TOKEN, Fault.status(FakeAnswer.empty(500)));
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            sink.awaitFailure("/token: HTTP status 500");
            sink.awaitFailure("HTTP status 429");
            sink.awaitFailure("HTTP status 503");
            sink.awaitFailure("JSON");
            sink.awaitFailure("without an action");
            service.announceTermination(Instant.now().plusSeconds(60));
            sink.awaitSignal();
            assertThat(service.faultsLeft()).isZero();
            assertThat(sink.failures).hasSize(6);
        }
    }

    @Test
    void aServiceThatIsSilentIsGivenUpAfterTheLimitAndAskedAgain() throws Exception {
        service.failNext(ACTION, Fault.slow(Duration.ofSeconds(6)));
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            long begunNs = System.nanoTime();
            sink.awaitFailure("timed out");
            assertThat(Duration.ofNanos(System.nanoTime() - begunNs)).isLessThan(Duration.ofMillis(5_500));
            sink.awaitCalm();
        }
    }

    @Test
    void aCloudClockThatIsAheadMovesTheDeadlineIntoOurTime() throws Exception {
        aheadMs = 60_000;
        service.announceTermination(Instant.now().plusSeconds(160));
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            Signal signal = sink.awaitSignal();
            assertThat(leftMs(signal)).isCloseTo(100_000L, within(TOLERANCE_MS));
            assertThat(signal.detail()).contains("ahead of ours");
        }
    }

    @Test
    void aTimeThatCannotBeReadIsTakenForThirtySeconds() throws Exception {
        service.document(AwsMetadata.ACTION, "{\"action\":\"stop\",\"time\":\"soon\"}");
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            Signal signal = sink.awaitSignal();
            assertThat(leftMs(signal)).isCloseTo(30_000L, within(TOLERANCE_MS));
            assertThat(signal.confidence()).isEqualTo(Signal.Confidence.MEDIUM);
        }
    }

    @Test
    void hibernationBeginsAtOnceWhateverTimeItNames() throws Exception {
        service.announce("hibernate", Instant.now().plusSeconds(120));
        try (RecordingSink sink = new RecordingSink(source("aws-spot-action"))) {
            Signal signal = sink.awaitSignal();
            assertThat(signal.kind()).isEqualTo(Signal.Kind.SHUTDOWN);
            assertThat(leftMs(signal)).isLessThanOrEqualTo(30_000L);
        }
    }

    @Test
    void aRebalanceRecommendationIsAHintWithoutADeadline() throws Exception {
        service.recommendRebalance();
        try (RecordingSink sink = new RecordingSink(source("aws-rebalance"))) {
            Signal signal = sink.awaitSignal();
            assertThat(signal.kind()).isEqualTo(Signal.Kind.HINT);
            assertThat(signal.deadlineNs()).isEmpty();
        }
    }

    @Test
    void maintenanceIsAHintUntilItIsNear() throws Exception {
        service.scheduleMaintenance(
                "instance-event-1", "system-reboot", Instant.now().plus(Duration.ofDays(3)));
        try (RecordingSink sink = new RecordingSink(source("aws-maintenance"))) {
            Signal far = sink.awaitSignal();
            assertThat(far.kind()).isEqualTo(Signal.Kind.HINT);
            assertThat(leftMs(far)).isCloseTo(Duration.ofDays(3).toMillis(), within(TOLERANCE_MS));
        }
        service.scheduleMaintenance(
                "instance-event-1", "system-reboot", Instant.now().plusSeconds(600));
        try (RecordingSink sink = new RecordingSink(source("aws-maintenance"))) {
            Signal near = sink.awaitSignal();
            assertThat(near.kind()).isEqualTo(Signal.Kind.NOTICE);
            assertThat(near.eventId()).isEqualTo("instance-event-1");
            assertThat(near.action()).isEqualTo("system-reboot");
        }
    }

    @Test
    void anAutoScalingGroupThatWantsItsInstanceGoneIsANotice() throws Exception {
        service.lifecycle("InService");
        try (RecordingSink sink = new RecordingSink(source("aws-lifecycle"))) {
            sink.awaitCalm();
            service.lifecycle("Terminated");
            Signal signal = sink.awaitSignal();
            assertThat(signal.kind()).isEqualTo(Signal.Kind.NOTICE);
            assertThat(leftMs(signal)).isCloseTo(30_000L, within(TOLERANCE_MS));
        }
    }
}
