// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.metadata.AwsMetadata;
import dev.lifeboat.vmm.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A full host that is taken away: fifty VMs, two notices, and not enough time for all of them. */
@Timeout(240)
class ManyVmsTest {
    private static final int VMS = 50;
    private static final int DATABASES = 6;
    private static final long LONG_MS = 100_000;
    /** Fewer than all: each move takes 1.5 s at least, so many at once as may move. */
    private static final long SHORT_MS = 14_000;

    private static final String TAKES = "evacuation-takes=1500 lag=";

    @TempDir
    Path directory;

    @Test
    void theyLeaveInOrderUntilTheEarlierOfTwoDeadlinesAndTheRestAreNamedWithTheirEpochs() throws Exception {
        try (AwsMetadata aws = AwsMetadata.start(InstantSource.system());
                TestFleet fleet = new TestFleet(directory, "a", "b")) {
            fleet.rulesFile = Optional.of(Files.writeString(
                    directory.resolve("rules.json"),
                    "{\"rules\":[{\"kind\":\"NOTICE\",\"vm\":\"db-*\",\"do\":\"EVACUATE\",\"priority\":5}]}"));
            fleet.vmLifeSeconds = 200;
            fleet.start("a", Optional.of(aws.url()));
            fleet.start("b");
            List<String> order = startAll(fleet);

            aws.announceTermination(Instant.now().plusMillis(LONG_MS));
            TestFleet.await(() -> !started(fleet).isEmpty(), "the first move");
            controllerSaysSooner(fleet);
            Map<String, JsonNode> moves = awaitAll(fleet);

            List<String> started = started(fleet);
            for (int i = 0; i < started.size(); i++) {
                // Of those that move at once, any may be first to say so.
                assertThat(order.indexOf(started.get(i)))
                        .as("place of %s, started as number %d", started.get(i), i)
                        .isBetween(i - EvacuationTurns.AT_ONCE + 1, i + EvacuationTurns.AT_ONCE - 1);
            }
            List<String> left = new ArrayList<>();
            int done = 0;
            for (String vm : order) {
                JsonNode move = moves.get(vm);
                if (move.path("state").asText().equals("DONE")) {
                    done++;
                    assertThat(fleet.vm("b", vm).path("state").asText()).isEqualTo("RUNNING");
                } else {
                    left.add(vm);
                    assertThat(move.path("leftBehind").asText())
                            .as(move.toString())
                            .isEqualTo(
                                    "its last epoch known here is 4; when this host is gone: lifeboat restore " + vm);
                    assertThat(fleet.vm("a", vm).path("state").asText()).isEqualTo("RUNNING");
                }
            }
            System.out.println(done + " of " + VMS + " VMs left in time, " + left.size() + " are named: " + left);
            assertThat(done).isGreaterThanOrEqualTo(EvacuationTurns.AT_ONCE);
            assertThat(left).isNotEmpty();
            assertThat(order.subList(0, done - EvacuationTurns.AT_ONCE)).doesNotContainAnyElementsOf(left);
            assertThat(messages(fleet, "evacuation-left-behind").stream()
                            .map(line -> line.split(" ")[0])
                            .sorted()
                            .toList())
                    .isEqualTo(left.stream().sorted().toList());
        }
    }

    /** @return in the order in which they are to leave: databases, as the rules say, then those with least left to send */
    private static List<String> startAll(TestFleet fleet) throws InterruptedException {
        List<Integer> lags = new ArrayList<>();
        for (int i = 1; i <= VMS; i++) {
            lags.add(i * 10);
        }
        Collections.shuffle(lags, new Random(1));
        Map<Integer, String> databases = new TreeMap<>();
        Map<Integer, String> others = new TreeMap<>();
        for (int i = 0; i < VMS; i++) {
            String vm = (i < DATABASES ? "db-" : "vm-") + i;
            (i < DATABASES ? databases : others).put(lags.get(i), vm);
            fleet.client.post(fleet.url("a"), "/v1/vms", fleet.spec(vm, TAKES + lags.get(i)), 20_000);
        }
        List<String> order = new ArrayList<>(databases.values());
        order.addAll(others.values());
        for (String vm : order) {
            fleet.awaitState("a", vm, "RUNNING");
        }
        return order;
    }

    private static void controllerSaysSooner(TestFleet fleet) {
        ObjectNode body = Json.MAPPER.createObjectNode();
        body.putArray("signals")
                .addObject()
                .put("eventId", "e1")
                .put("kind", "NOTICE")
                .put("action", "terminate")
                .put("confidence", "HIGH")
                .put("deadlineInMs", SHORT_MS);
        fleet.client.post(fleet.url("a"), "/v1/signals", body, 10_000);
    }

    private static Map<String, JsonNode> awaitAll(TestFleet fleet) throws InterruptedException {
        long endNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(90);
        while (true) {
            Map<String, JsonNode> over = new LinkedHashMap<>();
            for (JsonNode move : fleet.client.get(fleet.url("a"), "/v1/evacuations", 10_000)) {
                if (List.of("DONE", "FAILED").contains(move.path("state").asText())) {
                    over.put(move.path("vmId").asText(), move);
                }
            }
            if (over.size() == VMS) {
                return over;
            }
            assertThat(System.nanoTime() - endNs)
                    .as("only %d of %d moves are over", over.size(), VMS)
                    .isNegative();
            Thread.sleep(200);
        }
    }

    private static List<String> started(TestFleet fleet) {
        return messages(fleet, "evacuation-started").stream()
                .map(line -> line.split(" ")[0])
                .toList();
    }

    private static List<String> messages(TestFleet fleet, String kind) {
        List<String> lines = new ArrayList<>();
        for (JsonNode event : fleet.client.get(fleet.url("a"), "/v1/events", 10_000)) {
            if (event.path("kind").asText().equals(kind)) {
                lines.add(event.path("vmId").asText() + " "
                        + event.path("message").asText());
            }
        }
        return lines;
    }
}
