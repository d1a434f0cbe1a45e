// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalSink;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class QueueSourceTest extends AwsCase {
    private static final String HOST = InstanceEventsTest.HOST;

    private final List<List<Signal>> reports = new CopyOnWriteArrayList<>();
    private final List<String> failures = new CopyOnWriteArrayList<>();
    private Thread watching;

    @BeforeEach
    void prepareTheWatch() {
        PreemptionSource source = cloud.sources().get(0);
        SignalSink sink = new SignalSink() {
            @Override
            public void standing(String name, List<Signal> signals) {
                reports.add(signals);
            }

            @Override
            public void failed(String name, String why) {
                failures.add(why);
            }
        };
        watching = new Thread(() -> {
            try {
                source.watch(sink);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        watching.setDaemon(true);
    }

    @AfterEach
    void theWatchEndsWhenItIsInterrupted() throws InterruptedException {
        watching.interrupt();
        watching.join(10_000);
        assertThat(watching.isAlive()).isFalse();
    }

    @Test
    void eventsOfOtherHostsAreReportedAndTheirMessagesDeleted() throws Exception {
        fake.sendMessage(InstanceEventsTest.recommendation("i-0aaaaaaaaaaaaaaa1", START));
        fake.sendMessage(InstanceEventsTest.interruption(HOST, START));
        fake.sendMessage(InstanceEventsTest.interruption(HOST, START));
        watching.start();

        await("the queue to be empty", () -> fake.messagesLeft() == 0);
        assertThat(last()).extracting(Signal::instance).containsExactly("i-0aaaaaaaaaaaaaaa1", HOST);
        JsonNode asked = new ObjectMapper()
                .readTree(fake.requests(calling("ReceiveMessage")).get(0).body());
        assertThat(asked.path("QueueUrl").asText()).isEqualTo(fake.queueUrl());
        assertThat(asked.path("MaxNumberOfMessages").asInt()).isEqualTo(10);
        assertThat(asked.path("WaitTimeSeconds").asInt()).isEqualTo(5);
        assertThat(asked.path("VisibilityTimeout").asInt()).isEqualTo(60);
        assertThat(failures).isEmpty();
    }

    @Test
    void aPoisonedMessageIsDroppedAndHidesNoOther() {
        fake.sendMessage("{ broken");
        fake.sendMessage(InstanceEventsTest.interruption(HOST, START));
        watching.start();

        await("the queue to be empty", () -> fake.messagesLeft() == 0);
        assertThat(last()).extracting(Signal::instance).containsExactly(HOST);
    }

    @Test
    void aDeletionThatFailsBringsTheMessageBackAndChangesNothing() {
        fake.failNext(
                calling("DeleteMessage"),
                Fault.status(new FakeAnswer(
                        403,
                        Map.of("Content-Type", "application/x-amz-json-1.0"),
                        "{\"__type\":\"AccessDeniedException\",\"message\":\"not allowed\"}")));
        fake.sendMessage(InstanceEventsTest.interruption(HOST, START));
        watching.start();

        await("the failure to be told", () -> !failures.isEmpty());
        assertThat(failures.get(0)).contains("Allow sqs:DeleteMessage");
        List<Signal> before = last();
        now.set(START.plusSeconds(61));
        await("the queue to be empty", () -> fake.messagesLeft() == 0);
        assertThat(last()).isEqualTo(before);
    }

    @Test
    void aServiceThatIsAwayIsToldAndAskedAgain() {
        for (int attempt = 0; attempt < AwsClients.ATTEMPTS; attempt++) {
            fake.failNext(calling("ReceiveMessage"), Fault.lostRequest());
        }
        fake.sendMessage(InstanceEventsTest.interruption(HOST, START));
        watching.start();

        await("the queue to be empty", () -> fake.messagesLeft() == 0);
        assertThat(failures).hasSize(1);
        assertThat(failures.get(0)).contains("look into the queue", "no answer");
    }

    private List<Signal> last() {
        return reports.stream()
                .filter(report -> !report.isEmpty())
                .reduce((first, second) -> second)
                .orElseThrow();
    }

    private static void await(String what, BooleanSupplier done) {
        long endNs = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!done.getAsBoolean()) {
            assertThat(System.nanoTime() - endNs).as("30 s for " + what).isNegative();
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                throw new AssertionError("interrupted", e);
            }
        }
    }
}
