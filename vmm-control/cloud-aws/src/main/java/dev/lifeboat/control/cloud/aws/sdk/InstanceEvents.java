// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.Signal.Confidence;
import dev.lifeboat.control.cloud.Signal.Kind;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What stands after a number of EventBridge events, which come late, twice and in any order. Owned by one thread.
 */
final class InstanceEvents {
    private static final ObjectMapper JSON = new ObjectMapper();
    /**
     * {@code arn:aws:ec2:PLACE:ACCOUNT:instance/ID}, and EC2's spot events have it otherwise: the zone in the region's
     * place, and neither account nor its colon.
     */
    private static final Pattern ARN = Pattern.compile("arn:[^:]+:ec2:[^:]*:(?:[^:/]*:)?instance/(i-[0-9a-f]+)");

    private static final Pattern ID = Pattern.compile("i-[0-9a-f]{8,17}");
    /** What EC2 promises from the warning to the end; the event itself names no time. */
    private static final Duration WARNING = Duration.ofMinutes(2);
    /** A notice whose end never came in an event, and a hint that nothing followed. */
    private static final Duration NOTICE_KEPT = Duration.ofMinutes(15);

    private static final Duration HINT_KEPT = Duration.ofHours(12);
    private static final int MOST_INSTANCES = 10_000;

    private record Standing(Signal signal, Instant at) {}

    private record Key(String instance, Kind kind) {}

    private final String source;
    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final Map<Key, Standing> standing = new LinkedHashMap<>();
    /** When an instance was last said to be running or gone: what is older than that says nothing any more. */
    private final Map<String, Instant> settled = new LinkedHashMap<>(16, 0.75f, false) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Instant> eldest) {
            return size() > MOST_INSTANCES;
        }
    };

    InstanceEvents(String source, InstantSource clock, LongSupplier nanoTime) {
        this.source = source;
        this.clock = clock;
        this.nanoTime = nanoTime;
    }

    /** @return what is wrong with a message that cannot be understood */
    Optional<String> take(String body) {
        JsonNode event;
        try {
            event = JSON.readTree(body);
        } catch (JsonProcessingException e) {
            return Optional.of("it is no JSON (" + AwsErrors.oneLine(e.getOriginalMessage()) + ")");
        }
        if (event == null || !event.isObject()) {
            return Optional.of("it is no JSON object");
        }
        String type = event.path("detail-type").asText();
        return switch (type) {
            case "EC2 Spot Instance Interruption Warning" -> with(event, this::interruption);
            case "EC2 Instance Rebalance Recommendation" -> with(event, this::recommendation);
            case "EC2 Instance State-change Notification" -> with(event, this::change);
            default -> Optional.of("its detail-type \"" + AwsErrors.oneLine(type) + "\" is none that is listened to");
        };
    }

    /** Everything that stands now. */
    List<Signal> standing() {
        Instant now = clock.instant();
        standing.values()
                .removeIf(known -> known.at()
                        .plus(known.signal().kind() == Kind.HINT ? HINT_KEPT : NOTICE_KEPT)
                        .isBefore(now));
        return standing.values().stream().map(Standing::signal).toList();
    }

    private record Event(String id, String instance, Instant at, JsonNode detail) {}

    private interface Rule {
        void take(Event event);
    }

    private Optional<String> with(JsonNode event, Rule rule) {
        Optional<String> instance = instance(event);
        if (instance.isEmpty()) {
            return Optional.of("it names no instance");
        }
        Instant at;
        try {
            at = Instant.parse(event.path("time").asText());
        } catch (DateTimeException e) {
            return Optional.of(
                    "its time \"" + AwsErrors.oneLine(event.path("time").asText()) + "\" is none");
        }
        Instant since = settled.get(instance.get());
        if (since == null || !at.isBefore(since)) {
            rule.take(new Event(event.path("id").asText(), instance.get(), at, event.path("detail")));
        }
        return Optional.empty();
    }

    private static Optional<String> instance(JsonNode event) {
        String named = event.path("detail").path("instance-id").asText();
        if (ID.matcher(named).matches()) {
            return Optional.of(named);
        }
        List<String> found = new ArrayList<>();
        for (JsonNode resource : event.path("resources")) {
            Matcher arn = ARN.matcher(resource.asText());
            if (arn.matches()) {
                found.add(arn.group(1));
            }
        }
        return found.stream().findFirst();
    }

    private void interruption(Event event) {
        String action = event.detail().path("instance-action").asText("terminate");
        // Hibernation begins with the warning.
        Instant end = "hibernate".equals(action) ? event.at() : event.at().plus(WARNING);
        stand(
                event,
                new Signal(
                        source,
                        event.instance(),
                        event.id(),
                        Kind.NOTICE,
                        action,
                        onOurClock(end),
                        Confidence.MEDIUM,
                        "EC2 takes " + event.instance() + " away (" + action + "), two minutes after " + event.at()));
    }

    private void recommendation(Event event) {
        stand(
                event,
                new Signal(
                        source,
                        event.instance(),
                        event.id(),
                        Kind.HINT,
                        "rebalance",
                        OptionalLong.empty(),
                        Confidence.LOW,
                        "EC2 recommends to leave " + event.instance()));
    }

    private void change(Event event) {
        String state = event.detail().path("state").asText();
        switch (state) {
            case "shutting-down", "stopping" ->
                stand(
                        event,
                        new Signal(
                                source,
                                event.instance(),
                                event.id(),
                                Kind.SHUTDOWN,
                                state,
                                onOurClock(event.at()),
                                Confidence.HIGH,
                                "EC2 says that " + event.instance() + " is " + state));
            case "terminated", "stopped", "running" -> {
                for (Kind kind : Kind.values()) {
                    standing.remove(new Key(event.instance(), kind));
                }
                settled.remove(event.instance());
                settled.put(event.instance(), event.at());
            }
            default -> {
                // Pending says nothing of an end.
            }
        }
    }

    /** Of two that say the same the earlier stays: a repetition is not news, and an older one has the nearer deadline. */
    private void stand(Event event, Signal signal) {
        Key key = new Key(signal.instance(), signal.kind());
        Standing known = standing.get(key);
        boolean room = known != null || standing.size() < MOST_INSTANCES;
        if (room && (known == null || event.at().isBefore(known.at()))) {
            standing.put(key, new Standing(signal, event.at()));
        }
    }

    private OptionalLong onOurClock(Instant time) {
        return OptionalLong.of(
                nanoTime.getAsLong() + Duration.between(clock.instant(), time).toNanos());
    }
}
