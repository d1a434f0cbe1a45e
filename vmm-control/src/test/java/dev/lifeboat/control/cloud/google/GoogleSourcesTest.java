// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.metadata.GoogleMetadata;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.RecordingSink;
import dev.lifeboat.control.cloud.Signal;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class GoogleSourcesTest {
    private static final long TOLERANCE_MS = 3_000;
    private static final Predicate<FakeRequest> PREEMPTED =
            request -> request.path().equals(GoogleMetadata.PREEMPTED);
    private static final Predicate<FakeRequest> HANGING =
            PREEMPTED.and(request -> String.valueOf(request.uri().getQuery()).contains("wait_for_change=true"));

    private GoogleMetadata service;

    @BeforeEach
    void start() throws Exception {
        service = GoogleMetadata.start(InstantSource.system());
    }

    @AfterEach
    void stop() {
        service.close();
    }

    private PreemptionSource source(String name, Map<String, String> options) {
        return GoogleSources.all(service.url(), Clocks.SYSTEM, options).stream()
                .filter(one -> one.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static long leftMs(Signal signal) {
        return Clocks.SYSTEM.leftMillis(signal.deadlineNs().orElseThrow());
    }

    /** Its read would hang for a minute after the interrupt: the service ends first. */
    private void end(RecordingSink sink) throws InterruptedException {
        service.close();
        sink.close();
    }

    @Test
    void withoutANoticeAPreemptionIsAShutdownWithThirtySecondsLeft() throws Exception {
        RecordingSink sink = new RecordingSink(source("google-preempted", Map.of()));
        sink.await(() -> !service.requests(HANGING).isEmpty(), "a read that hangs");
        service.announce(Instant.now());
        Signal signal = sink.awaitSignal();
        assertThat(signal.kind()).isEqualTo(Signal.Kind.SHUTDOWN);
        assertThat(leftMs(signal)).isCloseTo(30_000L, within(TOLERANCE_MS));
        end(sink);
    }

    @Test
    void withAConfiguredNoticeItIsThatLongAndItCanBeWithdrawn() throws Exception {
        RecordingSink sink = new RecordingSink(source("google-preempted", Map.of(GoogleSources.NOTICE_SECONDS, "120")));
        sink.await(() -> !service.requests(HANGING).isEmpty(), "a read that hangs");
        service.announce(Instant.now());
        Signal signal = sink.awaitSignal();
        assertThat(signal.kind()).isEqualTo(Signal.Kind.NOTICE);
        assertThat(leftMs(signal)).isCloseTo(120_000L, within(TOLERANCE_MS));
        service.withdraw();
        sink.awaitCalm();
        end(sink);
    }

    @Test
    void aReadThatHangsNamesTheTagOfTheLastAnswerSoThatNoChangeIsMissed() throws Exception {
        RecordingSink sink = new RecordingSink(source("google-preempted", Map.of()));
        sink.await(() -> !service.requests(HANGING).isEmpty(), "a read that hangs");
        assertThat(service.requests(HANGING).get(0).uri().getQuery())
                .contains("last_etag=")
                .contains("timeout_sec=");
        // It flips while no read hangs: the answer to the one that hangs is lost on its way.
        service.failNext(HANGING, Fault.lostRequest());
        service.set(GoogleMetadata.MAINTENANCE, "NONE");
        service.set(GoogleMetadata.PREEMPTED, "FALSE");
        sink.await(() -> service.faultsLeft() == 0, "the lost read");
        service.announce(Instant.now());
        sink.awaitSignal();
        end(sink);
    }

    @Test
    void maintenanceThatTerminatesIsANoticeAndOneThatMigratesAHint() throws Exception {
        RecordingSink sink = new RecordingSink(source("google-maintenance", Map.of()));
        sink.await(() -> !sink.reports.isEmpty(), "a first read");
        service.maintenance("TERMINATE_ON_HOST_MAINTENANCE");
        Signal notice = sink.awaitSignal();
        assertThat(notice.kind()).isEqualTo(Signal.Kind.NOTICE);
        assertThat(leftMs(notice)).isCloseTo(60_000L, within(TOLERANCE_MS));
        service.maintenance("MIGRATE_ON_HOST_MAINTENANCE");
        sink.await(() -> !sink.last().isEmpty() && sink.last().get(0).kind() == Signal.Kind.HINT, "the hint");
        service.maintenance("NONE");
        sink.await(() -> sink.last().isEmpty(), "calm");
        end(sink);
    }

    @Test
    void thePlainReadIsANetUnderTheOneThatHangs() throws Exception {
        service.announce(Instant.now());
        try (RecordingSink sink = new RecordingSink(source("google-preempted-poll", Map.of()))) {
            assertThat(sink.awaitSignal().kind()).isEqualTo(Signal.Kind.SHUTDOWN);
            assertThat(service.requests(HANGING)).isEmpty();
        }
    }

    @Test
    void errorsCutsAndValuesThatMeanNothingAreToldAndTheNextReadHasTheNotice() throws Exception {
        service.failNext(PREEMPTED, Fault.status(FakeAnswer.empty(503)));
        service.failNext(PREEMPTED, Fault.status(FakeAnswer.empty(429)));
        service.failNext(PREEMPTED, Fault.halfAnswer(FakeAnswer.of(200, "application/text", "FALSE")));
        service.failNext(PREEMPTED, Fault.status(FakeAnswer.of(200, "application/text", "MAYBE")));
        service.failNext(PREEMPTED, Fault.status(FakeAnswer.of(200, "application/text", "FALSE")));
        RecordingSink sink = new RecordingSink(source("google-preempted", Map.of()));
        sink.awaitFailure("HTTP status 503");
        sink.awaitFailure("HTTP status 429");
        sink.awaitFailure("\"MAYBE\"");
        sink.awaitFailure("without an ETag");
        service.announce(Instant.now());
        sink.awaitSignal();
        assertThat(sink.failures).hasSize(5);
        assertThat(service.faultsLeft()).isZero();
        end(sink);
    }

    @Test
    void anotherServersAnswerIsNotGoogles() {
        assertThat(GoogleSources.answers(service.url())).isTrue();
        service.failNext(request -> true, Fault.status(FakeAnswer.of(200, "text/plain", "4711")));
        assertThat(GoogleSources.answers(service.url())).isFalse();
    }

    @Test
    void aNoticeLengthThatIsNoNumberIsNamed() {
        assertThatThrownBy(() -> source("google-preempted", Map.of(GoogleSources.NOTICE_SECONDS, "2m")))
                .hasMessageContaining("preemptionNoticeSeconds")
                .hasMessageContaining("2m");
    }
}
