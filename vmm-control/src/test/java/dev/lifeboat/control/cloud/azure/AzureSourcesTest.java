// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.metadata.AzureMetadata;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.RecordingSink;
import dev.lifeboat.control.cloud.Signal;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class AzureSourcesTest {
    private static final long TOLERANCE_MS = 3_000;
    private static final Predicate<FakeRequest> EVENTS =
            request -> request.path().equals(AzureMetadata.EVENTS);

    private volatile long aheadMs;
    private volatile boolean empty;
    private AzureMetadata service;

    @BeforeEach
    void start() throws Exception {
        service = AzureMetadata.start(() -> Instant.now().plusMillis(aheadMs));
    }

    @AfterEach
    void stop() {
        service.close();
    }

    private RecordingSink watch(Map<String, String> options, int which) {
        List<PreemptionSource> sources = AzureSources.all(service.url(), Clocks.SYSTEM, 20, options, () -> empty);
        return new RecordingSink(sources.get(which));
    }

    private RecordingSink watch() {
        return watch(Map.of(), 0);
    }

    private static AzureMetadata.Event event(String id, String type, Optional<Instant> at, String... resources) {
        return new AzureMetadata.Event(id, type, at.isPresent() ? "Scheduled" : "Started", at, List.of(resources));
    }

    private static long leftMs(Signal signal) {
        return Clocks.SYSTEM.leftMillis(signal.deadlineNs().orElseThrow());
    }

    @Test
    void aPreemptIsANoticeAndOnceStartedItHappensNow() throws Exception {
        try (RecordingSink sink = watch()) {
            sink.awaitCalm();
            service.put(event("e1", "Preempt", Optional.of(Instant.now().plusSeconds(30)), AzureMetadata.VM_NAME));
            Signal notice = sink.awaitSignal();
            assertThat(notice.kind()).isEqualTo(Signal.Kind.NOTICE);
            assertThat(notice.eventId()).isEqualTo("e1");
            assertThat(leftMs(notice)).isCloseTo(30_000L, within(TOLERANCE_MS));
            service.begin("e1");
            sink.await(() -> sink.last().get(0).kind() == Signal.Kind.SHUTDOWN, "the start");
            assertThat(leftMs(sink.last().get(0))).isLessThanOrEqualTo(10_000L);
            service.remove("e1");
            sink.awaitCalm();
            assertThat(sink.failures).isEmpty();
        }
    }

    @Test
    void eventsOfOtherVmsAreNotOurs() throws Exception {
        service.put(event("e1", "Preempt", Optional.of(Instant.now().plusSeconds(30)), "somebody-else_1"));
        try (RecordingSink sink = watch()) {
            sink.awaitCalm();
            assertThat(sink.reports).allMatch(List::isEmpty);
        }
    }

    @Test
    void everyTypeButAFreezeEndsTheHostAndAFreezeIsAHint() throws Exception {
        for (String type : List.of("Reboot", "Redeploy", "Terminate", "Preempt", "Freeze")) {
            service.put(event("id-" + type, type, Optional.of(Instant.now().plusSeconds(900)), AzureMetadata.VM_NAME));
        }
        try (RecordingSink sink = watch()) {
            sink.awaitSignal();
            assertThat(sink.last()).hasSize(5);
            assertThat(sink.last())
                    .allSatisfy(signal -> assertThat(signal.kind())
                            .isEqualTo(signal.action().equals("Freeze") ? Signal.Kind.HINT : Signal.Kind.NOTICE));
        }
    }

    @Test
    void brokenHardwareStartsWithoutATimeAndThatIsTenSeconds() throws Exception {
        service.put(event("e1", "Redeploy", Optional.empty(), AzureMetadata.VM_NAME));
        try (RecordingSink sink = watch()) {
            Signal signal = sink.awaitSignal();
            assertThat(signal.kind()).isEqualTo(Signal.Kind.SHUTDOWN);
            assertThat(leftMs(signal)).isCloseTo(10_000L, within(TOLERANCE_MS));
        }
    }

    @Test
    void aFirstCallThatIsSlowIsWaitedFor() throws Exception {
        service.firstCallTakes(Duration.ofSeconds(5));
        service.announce(Instant.now().plusSeconds(30));
        try (RecordingSink sink = watch()) {
            sink.awaitSignal();
            assertThat(sink.failures).isEmpty();
            assertThat(service.requests(EVENTS)).hasSizeGreaterThanOrEqualTo(1);
        }
    }

    @Test
    void theEventIsApprovedOnceAndOnlyWhenTheHostIsEmpty() throws Exception {
        service.announce(Instant.now().plusSeconds(30));
        try (RecordingSink sink = watch()) {
            sink.await(() -> service.noticesRead() > 5, "looks");
            assertThat(service.approved()).isEmpty();
            empty = true;
            sink.await(() -> !service.approved().isEmpty(), "the approval");
            int seen = service.noticesRead();
            sink.await(() -> service.noticesRead() > seen + 3, "more looks");
            assertThat(service.approved()).hasSize(1);
        }
    }

    @Test
    void anEventThatIsOthersTooIsNotOursToApproveAndAFreezeNeedsNoApproval() throws Exception {
        empty = true;
        Optional<Instant> at = Optional.of(Instant.now().plusSeconds(600));
        service.put(event("shared", "Reboot", at, AzureMetadata.VM_NAME, "somebody-else_1"));
        service.put(event("freeze", "Freeze", at, AzureMetadata.VM_NAME));
        try (RecordingSink sink = watch()) {
            sink.await(() -> service.noticesRead() > 8, "looks");
            assertThat(service.approved()).isEmpty();
        }
    }

    @Test
    void anApprovalThatFailsIsToldTheSignalStandsAndItIsTriedAgain() throws Exception {
        empty = true;
        service.failNext(request -> request.method().equals("POST"), Fault.status(FakeAnswer.empty(500)));
        service.announce(Instant.now().plusSeconds(30));
        try (RecordingSink sink = watch()) {
            sink.awaitFailure("POST");
            assertThat(sink.reports).anySatisfy(report -> assertThat(report).hasSize(1));
            sink.await(() -> service.approved().size() == 1, "the approval");
        }
    }

    @Test
    void errorsCutsAndRubbishAreToldAndTheNextLookHasTheEvent() throws Exception {
        service.failNext(EVENTS, Fault.status(FakeAnswer.empty(429)));
        service.failNext(EVENTS, Fault.status(FakeAnswer.empty(500)));
        service.failNext(EVENTS, Fault.halfAnswer(FakeAnswer.json(200, "{\"DocumentIncarnation\":1,\"Events\":[]}")));
        service.failNext(EVENTS, Fault.status(FakeAnswer.json(200, "{}")));
        service.failNext(EVENTS, Fault.status(FakeAnswer.of(200, "text/html", "<html>")));
        service.failNext(request -> request.path().equals(AzureMetadata.INSTANCE), Fault.status(FakeAnswer.empty(503)));
        try (RecordingSink sink = watch()) {
            sink.awaitFailure("HTTP status 503");
            sink.awaitFailure("HTTP status 429");
            sink.awaitFailure("HTTP status 500");
            sink.awaitFailure("without a list of events");
            sink.awaitFailure("JSON");
            service.announce(Instant.now().plusSeconds(30));
            sink.awaitSignal();
            assertThat(service.faultsLeft()).isZero();
            assertThat(sink.failures).hasSize(6);
        }
    }

    @Test
    void aCloudClockThatIsBehindMovesTheDeadlineIntoOurTime() throws Exception {
        aheadMs = -45_000;
        service.announce(Instant.now().minusSeconds(15));
        try (RecordingSink sink = watch()) {
            assertThat(leftMs(sink.awaitSignal())).isCloseTo(30_000L, within(TOLERANCE_MS));
        }
    }

    @Test
    void theRebalancePreviewIsHeardOnlyWithItsVersionAndType() throws Exception {
        service.hint();
        try (RecordingSink sink = watch()) {
            sink.awaitCalm();
        }
        Map<String, String> options = Map.of(
                AzureSources.REBALANCE_API_VERSION,
                AzureMetadata.PREVIEW_API_VERSION,
                AzureSources.REBALANCE_EVENT_TYPE,
                "SpotRebalance");
        try (RecordingSink sink = watch(options, 1)) {
            assertThat(sink.awaitSignal().kind()).isEqualTo(Signal.Kind.HINT);
        }
        Map<String, String> wrong = Map.of(
                AzureSources.REBALANCE_API_VERSION, "2001-01-01", AzureSources.REBALANCE_EVENT_TYPE, "SpotRebalance");
        try (RecordingSink sink = watch(wrong, 1)) {
            sink.awaitFailure("api-version is invalid");
        }
    }
}
