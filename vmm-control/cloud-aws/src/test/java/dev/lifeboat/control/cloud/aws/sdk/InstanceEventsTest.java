// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.Signal.Confidence;
import dev.lifeboat.control.cloud.Signal.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InstanceEventsTest {
    static final String HOST = "i-1234567890abcdef0";
    private static final Instant START = Instant.parse("2026-11-27T12:00:00Z");
    private static final long ANCHOR_NS = 5_000_000_000L;

    private final AtomicReference<Instant> now = new AtomicReference<>(START);
    private final InstanceEvents events = new InstanceEvents("test", now::get, () -> ANCHOR_NS);

    static String interruption(String host, Instant at) {
        // The zone stands in the place of the region, and there is no account.
        return event(
                "EC2 Spot Instance Interruption Warning",
                at,
                "arn:aws:ec2:us-east-2a:instance/" + host,
                "{\"instance-id\":\"" + host + "\",\"instance-action\":\"terminate\"}");
    }

    static String recommendation(String host, Instant at) {
        return event(
                "EC2 Instance Rebalance Recommendation",
                at,
                "arn:aws:ec2:us-east-2:123456789012:instance/" + host,
                "{\"instance-id\":\"" + host + "\"}");
    }

    static String change(String host, Instant at, String state) {
        return event(
                "EC2 Instance State-change Notification",
                at,
                "arn:aws:ec2:us-east-1:123456789012:instance/" + host,
                "{\"instance-id\":\"" + host + "\",\"state\":\"" + state + "\"}");
    }

    private static String event(String type, Instant at, String arn, String detail) {
        return "{\"version\":\"0\",\"id\":\"12345678-1234-1234-1234-" + at.getEpochSecond() + "\",\"detail-type\":\""
                + type + "\",\"source\":\"aws.ec2\",\"account\":\"123456789012\",\"time\":\"" + at
                + "\",\"region\":\"us-east-2\",\"resources\":[\"" + arn + "\"],\"detail\":" + detail + "}";
    }

    @Test
    void aWarningIsANoticeOfTwoMinutesFromItsOwnTime() {
        assertThat(events.take(interruption(HOST, START.minusSeconds(12)))).isEmpty();

        Signal signal = events.standing().get(0);
        assertThat(signal.instance()).isEqualTo(HOST);
        assertThat(signal.kind()).isEqualTo(Kind.NOTICE);
        assertThat(signal.action()).isEqualTo("terminate");
        assertThat(signal.confidence()).isEqualTo(Confidence.MEDIUM);
        assertThat(signal.deadlineNs())
                .hasValue(ANCHOR_NS + Duration.ofSeconds(108).toNanos());
    }

    @Test
    void hibernationHasNoTwoMinutes() {
        events.take(interruption(HOST, START).replace("terminate", "hibernate"));

        assertThat(events.standing().get(0).deadlineNs()).hasValue(ANCHOR_NS);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "arn:aws:ec2:us-east-2a:instance/" + HOST,
                "arn:aws:ec2:us-east-2:123456789012:instance/" + HOST,
                "arn:aws-cn:ec2:cn-north-1b:instance/" + HOST
            })
    void anArnOfEitherFormNamesTheInstanceWhenTheDetailDoesNot(String arn) {
        events.take(event("EC2 Instance Rebalance Recommendation", START, arn, "{}"));

        assertThat(events.standing()).extracting(Signal::instance).containsExactly(HOST);
    }

    @Test
    void aRepetitionIsNoNewsAndKeepsTheFirstDeadline() {
        events.take(interruption(HOST, START));
        List<Signal> once = events.standing();
        events.take(interruption(HOST, START));
        events.take(interruption(HOST, START.plusSeconds(1)));

        assertThat(events.standing()).isEqualTo(once);
    }

    @Test
    void anyOrderOfOneStoryEndsTheSame() {
        List<String> story = List.of(
                recommendation(HOST, START),
                interruption(HOST, START.plusSeconds(60)),
                change(HOST, START.plusSeconds(170), "shutting-down"),
                change(HOST, START.plusSeconds(180), "terminated"),
                interruption("i-0aaaaaaaaaaaaaaa1", START.plusSeconds(30)));
        now.set(START.plusSeconds(200));
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Set<List<String>> orders = new HashSet<>();
        for (int round = 0; round < 50; round++) {
            List<String> order = new ArrayList<>(story);
            order.addAll(story.subList(1, 3));
            Collections.shuffle(order, random);
            orders.add(order);
            InstanceEvents fresh = new InstanceEvents("test", now::get, () -> ANCHOR_NS);
            order.forEach(fresh::take);

            assertThat(fresh.standing())
                    .as("seed %d, order %s", seed, order)
                    .extracting(Signal::instance)
                    .containsExactly("i-0aaaaaaaaaaaaaaa1");
        }
        assertThat(orders).hasSizeGreaterThan(40);
    }

    @Test
    void aHostThatRunsAgainCanBeWarnedAgain() {
        events.take(interruption(HOST, START));
        events.take(change(HOST, START.plusSeconds(120), "stopped"));
        events.take(change(HOST, START.plusSeconds(600), "running"));
        assertThat(events.standing()).isEmpty();
        events.take(interruption(HOST, START.plusSeconds(900)));

        now.set(START.plusSeconds(901));
        assertThat(events.standing()).extracting(Signal::kind).containsExactly(Kind.NOTICE);
    }

    @Test
    void aShutdownThatEc2TellsOfIsTheStrongestSignal() {
        events.take(change(HOST, START, "stopping"));

        assertThat(events.standing()).extracting(Signal::kind).containsExactly(Kind.SHUTDOWN);
    }

    @Test
    void whatNothingFollowsIsForgottenInTheEnd() {
        events.take(interruption(HOST, START));
        events.take(recommendation("i-0aaaaaaaaaaaaaaa1", START));
        now.set(START.plus(Duration.ofMinutes(16)));
        assertThat(events.standing()).extracting(Signal::kind).containsExactly(Kind.HINT);
        now.set(START.plus(Duration.ofHours(13)));
        assertThat(events.standing()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "not json",
                "[]",
                "\"text\"",
                "{}",
                "{\"detail-type\":\"EC2 Spot Instance Interruption Warning\"}",
                "{\"detail-type\":\"EC2 Spot Instance Interruption Warning\",\"detail\":{\"instance-id\":\"i-12345678\"}}",
                "{\"detail-type\":\"EC2 Spot Instance Interruption Warning\",\"time\":\"2026-11-27T12:00:00Z\","
                        + "\"detail\":{\"instance-id\":\"../../etc\"}}",
                "{\"detail-type\":\"Scheduled Event\",\"time\":\"2026-11-27T12:00:00Z\"}"
            })
    void aMessageThatCannotBeUnderstoodIsNamedAndChangesNothing(String body) {
        assertThat(events.take(body)).isPresent();
        assertThat(events.standing()).isEmpty();
    }
}
