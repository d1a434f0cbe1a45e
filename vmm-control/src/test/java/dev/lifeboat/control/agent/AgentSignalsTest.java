// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.metadata.AwsMetadata;
import dev.lifeboat.cloudfakes.metadata.AzureMetadata;
import dev.lifeboat.cloudfakes.metadata.CloudMetadata;
import dev.lifeboat.cloudfakes.metadata.GoogleMetadata;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.ApiServer;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.vmm.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** What an agent does about signals: of each cloud, of a controller, by the rules, for many VMs at once. */
@Timeout(90)
@Execution(ExecutionMode.CONCURRENT)
class AgentSignalsTest {
    @TempDir
    Path directory;

    private TestFleet fleet;

    @BeforeEach
    void start() throws Exception {
        fleet = new TestFleet(directory, "a", "b");
    }

    @AfterEach
    void stop() throws InterruptedException {
        fleet.close();
    }

    private static String url(CloudMetadata service) {
        return "http://127.0.0.1:" + service.port();
    }

    private JsonNode health() {
        return fleet.client.get(fleet.url("a"), "/v1/health", 10_000);
    }

    private void awaitEvent(String kind) throws InterruptedException {
        TestFleet.await(() -> fleet.events("a").contains(kind), "the event " + kind);
    }

    private List<String> eventsOf(String kind) {
        List<String> found = new ArrayList<>();
        for (JsonNode event : fleet.client.get(fleet.url("a"), "/v1/events", 10_000)) {
            if (event.get("kind").asText().equals(kind)) {
                found.add(
                        event.get("vmId").asText() + " " + event.get("message").asText());
            }
        }
        return found;
    }

    /** @param leftMs negative: no deadline */
    private void controllerSays(String kind, String action, long leftMs) {
        ObjectNode body = Json.MAPPER.createObjectNode();
        ObjectNode signal = body.putArray("signals").addObject();
        signal.put("eventId", "e1").put("kind", kind).put("action", action).put("confidence", "HIGH");
        if (leftMs >= 0) {
            signal.put("deadlineInMs", leftMs);
        }
        fleet.client.post(fleet.url("a"), "/v1/signals", body, 10_000);
    }

    private void controllerSaysNothing() {
        ObjectNode body = Json.MAPPER.createObjectNode();
        body.putArray("signals");
        fleet.client.post(fleet.url("a"), "/v1/signals", body, 10_000);
    }

    @Test
    void aHintWarmsATargetRaisesTheRateAndMovesNothing() throws Exception {
        List<String> asked = new CopyOnWriteArrayList<>();
        fleet.warmer = Optional.of((vmId, reason) -> asked.add("warm " + vmId + " " + reason));
        fleet.rate = Optional.of((vmId, reason) -> asked.add("rate " + vmId + " " + reason));
        try (AwsMetadata aws = AwsMetadata.start(InstantSource.system())) {
            fleet.start("a", Optional.of(aws.url()));
            fleet.run("a", "web", "");
            aws.recommendRebalance();
            TestFleet.await(() -> asked.size() == 2, "both hooks");
            assertThat(asked).containsExactly("warm web aws-rebalance: rebalance", "rate web aws-rebalance: rebalance");
            assertThat(fleet.events("a"))
                    .containsSubsequence("hint", "target-wanted", "streaming-rate-wanted")
                    .doesNotContain("evacuation-started", "notice");
            aws.withdraw();
            awaitEvent("hint-withdrawn");
            assertThat(health().has("notice")).isFalse();
        }
    }

    @Test
    void whatAHintAskedForIsTakenBackOnlyWhenNoOtherAsksForIt() throws Exception {
        List<String> asked = new CopyOnWriteArrayList<>();
        fleet.warmer = Optional.of(new TargetWarmer() {
            @Override
            public void warm(String vmId, String reason) {
                asked.add("warm");
            }

            @Override
            public void calm(String vmId) {
                asked.add("calm " + vmId);
            }
        });
        fleet.start("a");
        fleet.run("a", "web", "");
        controllerSays(List.of("HINT", "HINT"));
        TestFleet.await(() -> asked.size() == 2, "both hints");
        TestFleet.await(() -> console().contains("rate raised: true"), "the VM's process to hear of it");
        controllerSays(List.of("HINT"));
        awaitEvent("hint-withdrawn");
        // Reactions are done in order: when this one is done, so is what came before it.
        controllerSays(List.of("HINT", "HINT"));
        TestFleet.await(() -> asked.size() == 3, "the third hint");
        assertThat(asked).containsOnly("warm");
        assertThat(console()).doesNotContain("rate raised: false");

        controllerSaysNothing();
        TestFleet.await(() -> asked.contains("calm web"), "the target to be given up");
        awaitEvent("streaming-rate-usual");
        assertThat(console()).contains("rate raised: false");
        // Once for each hint that ends: to give up what is given up already changes nothing.
        assertThat(asked.subList(3, asked.size())).containsOnly("calm web");
        assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
    }

    @Test
    void aHintGoesThroughToTheControllerAndItsEndToo() throws Exception {
        List<String> asked = new CopyOnWriteArrayList<>();
        try (ApiServer controller = new ApiServer(
                        "127.0.0.1:0", FleetTls.read(fleet.authority.issue("controller", List.of("127.0.0.1"))))
                .route("POST", "/v1/targets/{id}", request -> {
                    if (request.body().path("warm").asBoolean()) {
                        asked.add("warm " + request.body().path("reason").asText());
                    }
                    return Json.MAPPER.createObjectNode().put("state", "NONE");
                })
                .route("DELETE", "/v1/targets/{id}", request -> {
                    asked.add("calm");
                    return Json.MAPPER.createObjectNode();
                })) {
            controller.start();
            fleet.controllerUrl = Optional.of("https://127.0.0.1:" + controller.port());
            fleet.start("a");
            fleet.run("a", "web", "");
            controllerSays(List.of("HINT", "HINT"));
            TestFleet.await(() -> asked.size() == 2, "both hints to be passed on");
            controllerSays(List.of("HINT"));
            controllerSaysNothing();
            TestFleet.await(() -> asked.contains("calm"), "the end of it");
            assertThat(asked.subList(2, asked.size())).containsOnly("calm");
        }
    }

    private String console() {
        JsonNode console = fleet.client.get(fleet.url("a"), "/v1/vms/web/console?from=0", 10_000);
        byte[] text = Base64.getDecoder().decode(console.get("base64").asText());
        return new String(text, StandardCharsets.UTF_8);
    }

    /** So many signals of these kinds stand, which differ in their names. */
    private void controllerSays(List<String> kinds) {
        ObjectNode body = Json.MAPPER.createObjectNode();
        var signals = body.putArray("signals");
        for (int i = 0; i < kinds.size(); i++) {
            signals.addObject()
                    .put("eventId", "event-" + i)
                    .put("kind", kinds.get(i))
                    .put("action", "rebalance-" + i);
        }
        fleet.client.post(fleet.url("a"), "/v1/signals", body, 10_000);
    }

    @Test
    void anAzureEvictionMovesTheVmAndIsApprovedOnlyWhenItsProcessHasGone() throws Exception {
        try (AzureMetadata azure = AzureMetadata.start(InstantSource.system())) {
            fleet.start("a", Optional.of(url(azure)));
            fleet.start("b");
            fleet.run("a", "web", "evacuation-takes=1500");
            azure.announce(Instant.now().plusSeconds(30));
            awaitEvent("evacuation-prepared");
            assertThat(azure.approved()).isEmpty();
            fleet.awaitEvacuation("a", "web", "DONE");
            TestFleet.await(() -> !azure.approved().isEmpty(), "the approval");
            assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("HANDED_OVER");
            assertThat(health().get("cloud").asText()).isEqualTo("azure");
        }
    }

    @Test
    void aGooglePreemptionWithoutANoticeMovesTheVmWithinTheThirtySecondsThatAreLeft() throws Exception {
        try (GoogleMetadata google = GoogleMetadata.start(InstantSource.system())) {
            fleet.start("a", Optional.of(url(google)));
            fleet.start("b");
            fleet.run("a", "web", "");
            awaitEvent("cloud-recognised");
            google.announce(Instant.now());
            JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
            assertThat(move.get("deadlineMillis").asLong()
                            - move.get("askedAtMillis").asLong())
                    .isBetween(20_000L, 30_000L);
        }
    }

    @Test
    void aNoticeThatMovesCloserIsActedOnAgain() throws Exception {
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "evacuation-takes=2000");
        controllerSays("NOTICE", "terminate", 100_000);
        awaitEvent("evacuation-prepared");
        controllerSays("NOTICE", "terminate", 40_000);
        awaitEvent("evacuation-deadline-moved");
        JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(move.get("deadlineMillis").asLong()
                        - move.get("askedAtMillis").asLong())
                .isLessThan(50_000);
        assertThat(eventsOf("notice")).hasSize(2);
    }

    @Test
    void aNoticeOfTheCloudAndOneOfTheControllerAreOne() throws Exception {
        try (AwsMetadata aws = AwsMetadata.start(InstantSource.system())) {
            fleet.start("a", Optional.of(aws.url()));
            aws.announceTermination(Instant.now().plusSeconds(100));
            awaitEvent("notice");
            controllerSays("NOTICE", "terminate", -1);
            JsonNode standing = fleet.client.get(fleet.url("a"), "/v1/signals", 10_000);
            assertThat(standing).hasSize(1);
            assertThat(standing.get(0).get("source").asText()).isEqualTo("aws-spot-action");
            aws.withdraw();
            TestFleet.await(
                    () -> fleet.client
                            .get(fleet.url("a"), "/v1/signals", 10_000)
                            .path(0)
                            .path("source")
                            .asText()
                            .equals("controller"),
                    "the controller's to be left");
            controllerSaysNothing();
            awaitEvent("notice-withdrawn");
            assertThat(health().has("notice")).isFalse();
            assertThat(fleet.run("a", "web", "").get("state").asText()).isEqualTo("RUNNING");
        }
    }

    @Test
    void manyVmsLeaveByPriorityThenByWhatIsLeftToSendAFewAtATime() throws Exception {
        Path rules = Files.writeString(
                directory.resolve("rules.json"),
                "{\"rules\":[{\"kind\":\"NOTICE\",\"vm\":\"first*\",\"do\":\"EVACUATE\",\"priority\":5}]}");
        fleet.rulesFile = Optional.of(rules);
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "huge", "evacuation-takes=500 lag=90000");
        fleet.run("a", "first-db", "evacuation-takes=500 lag=50000");
        fleet.run("a", "big", "evacuation-takes=500 lag=5000");
        fleet.run("a", "small", "evacuation-takes=500 lag=50");
        fleet.run("a", "silent", "evacuation-takes=500");
        fleet.run("a", "middle", "evacuation-takes=500 lag=500");
        controllerSays("NOTICE", "terminate", 80_000);
        for (String vm : List.of("huge", "first-db", "big", "small", "silent", "middle")) {
            fleet.awaitEvacuation("a", vm, "DONE");
        }
        List<String> started = eventsOf("evacuation-started").stream()
                .map(line -> line.split(" ")[0])
                .toList();
        // 64 MiB of one that does not say are 16384 pages.
        assertThat(started.subList(0, EvacuationTurns.AT_ONCE))
                .containsExactlyInAnyOrder("first-db", "small", "middle", "big");
        assertThat(started.subList(EvacuationTurns.AT_ONCE, 6)).containsExactlyInAnyOrder("silent", "huge");
        List<String> kinds = fleet.events("a");
        List<Integer> starts = new ArrayList<>();
        List<Integer> ends = new ArrayList<>();
        for (int i = 0; i < kinds.size(); i++) {
            if (kinds.get(i).equals("evacuation-started")) {
                starts.add(i);
            } else if (kinds.get(i).equals("evacuation-done")) {
                ends.add(i);
            }
        }
        assertThat(starts.get(EvacuationTurns.AT_ONCE)).isGreaterThan(ends.get(0));
    }

    @Test
    void whoCannotLeaveInTimeIsNamedWithItsLastEpoch() throws Exception {
        fleet.start("a");
        fleet.run("a", "web", "");
        // Nobody takes it: b is not there.
        controllerSays("NOTICE", "terminate", 10_000);
        JsonNode failed = fleet.awaitEvacuation("a", "web", "FAILED");
        assertThat(failed.get("leftBehind").asText()).contains("last epoch known here is 4");
        assertThat(eventsOf("evacuation-left-behind"))
                .singleElement()
                .asString()
                .startsWith("web ")
                .contains("lifeboat restore web");
        assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
    }

    @Test
    void aNoticeThatIsWithdrawnStopsTheMovesThatHaveNotBegun() throws Exception {
        fleet.start("a");
        fleet.start("b");
        for (int i = 0; i <= EvacuationTurns.AT_ONCE; i++) {
            fleet.run("a", "vm" + i, "evacuation-takes=2000 lag=" + (i + 1));
        }
        controllerSays("NOTICE", "terminate", 60_000);
        TestFleet.await(() -> eventsOf("evacuation-started").size() == EvacuationTurns.AT_ONCE, "the first moves");
        controllerSaysNothing();
        awaitEvent("evacuation-cancelled");
        for (int i = 0; i < EvacuationTurns.AT_ONCE; i++) {
            fleet.awaitEvacuation("a", "vm" + i, "DONE");
        }
        String last = "vm" + EvacuationTurns.AT_ONCE;
        assertThat(fleet.vm("a", last).get("state").asText()).isEqualTo("RUNNING");
        assertThat(fleet.awaitEvacuation("a", last, "FAILED").get("message").asText())
                .contains("took its notice back");
    }

    @Test
    void rulesThatChangeCountForTheNextSignalAndWrongOnesChangeNothing() throws Exception {
        Path rules = Files.writeString(
                directory.resolve("rules.json"),
                "{\"rules\":[{\"kind\":\"NOTICE\",\"vm\":\"web\",\"do\":\"IGNORE\"}]}");
        fleet.rulesFile = Optional.of(rules);
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "");
        Files.writeString(rules, "{\"rules\":[\n{\"kind\":\"NOTICE\",\n\"do\":\"RUN_AWAY\"}]}");
        awaitEvent("rules-failed");
        assertThat(eventsOf("rules-failed"))
                .singleElement()
                .asString()
                .contains("rules.json, line 3")
                .contains("RUN_AWAY")
                .contains("the rules of before stay");
        controllerSays("NOTICE", "terminate", 60_000);
        awaitEvent("signal-ignored");
        controllerSaysNothing();
        awaitEvent("notice-withdrawn");
        assertThat(fleet.events("a")).doesNotContain("evacuation-started");

        Files.writeString(rules, "{\"rules\":[]}");
        controllerSays("NOTICE", "terminate", 60_000);
        fleet.awaitEvacuation("a", "web", "DONE");
    }

    @Test
    void aSignalThatIsNoneIsRefusedAndChangesNothing() {
        fleet.start("a");
        assertThatThrownBy(() -> controllerSays("PANIC", "terminate", 1_000))
                .isInstanceOf(ApiError.class)
                .hasMessageContaining("PANIC");
        assertThatThrownBy(
                        () -> fleet.client.post(fleet.url("a"), "/v1/signals", Json.MAPPER.createObjectNode(), 10_000))
                .hasMessageContaining("\"signals\" is missing");
        assertThat(fleet.client.get(fleet.url("a"), "/v1/signals", 10_000)).isEmpty();
    }

    @Test
    void aHostWhoseMetadataServiceIsAbsentOrOfAnotherCloudSaysSoOnce() throws Exception {
        try (GoogleMetadata google = GoogleMetadata.start(InstantSource.system())) {
            fleet.cloud = Optional.of("azure");
            fleet.start("a", Optional.of(url(google)));
            awaitEvent("spot-watch-failed");
            assertThat(eventsOf("spot-watch-failed"))
                    .singleElement()
                    .asString()
                    .contains("azure-scheduled-events")
                    .contains("HTTP status 403");
        }
    }
}
