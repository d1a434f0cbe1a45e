// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.metadata;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.HttpFake;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The instance metadata service of one Azure spot VM with its Scheduled Events: {@code Metadata:true} or 400, an
 * api-version it knows or 400, forwarded requests refused, a first call that may be slow. Shapes after "Azure Metadata
 * Service: Scheduled Events for Linux VMs".
 */
public final class AzureMetadata extends HttpFake implements CloudMetadata {
    public static final String INSTANCE = "/metadata/instance";
    public static final String EVENTS = "/metadata/scheduledevents";
    public static final String VM_NAME = "lifeboat-host_0";
    public static final String API_VERSION = "2020-07-01";
    /** A version of the preview that hints; its real name is not public. */
    public static final String PREVIEW_API_VERSION = "2099-01-01-preview";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String OWN_EVENT = "602d9444-d2cd-49c7-8624-8643e7171297";
    private static final String HINT_EVENT = "c0ffee00-0000-4000-8000-000000000001";

    /**
     * @param notBefore empty once started
     * @param resources names of VMs
     */
    public record Event(
            String eventId, String type, String status, Optional<Instant> notBefore, List<String> resources) {}

    private final Map<String, Event> events = new LinkedHashMap<>();
    private final List<String> started = new ArrayList<>();
    private final AtomicInteger noticesRead = new AtomicInteger();
    private int incarnation = 1;
    private Duration firstCall = Duration.ZERO;

    private AzureMetadata(InstantSource clock) throws IOException {
        super("azure-metadata", clock);
    }

    public static AzureMetadata start(InstantSource clock) throws IOException {
        return new AzureMetadata(clock);
    }

    /** Up to two minutes in real life: the first call switches the service on. */
    public synchronized void firstCallTakes(Duration duration) {
        firstCall = duration;
    }

    public synchronized void put(Event event) {
        events.put(event.eventId(), event);
        incarnation++;
    }

    public synchronized void remove(String eventId) {
        if (events.remove(eventId) != null) {
            incarnation++;
        }
    }

    /** The event has begun: its {@code NotBefore} is blank from now on. */
    public synchronized void begin(String eventId) {
        Event event = events.get(eventId);
        if (event == null) {
            throw new IllegalArgumentException("no event " + eventId);
        }
        put(new Event(eventId, event.type(), "Started", Optional.empty(), event.resources()));
    }

    /** Event ids that somebody has approved, in their order. */
    public synchronized List<String> approved() {
        return List.copyOf(started);
    }

    @Override
    public void announce(Instant deadline) {
        put(new Event(OWN_EVENT, "Preempt", "Scheduled", Optional.of(deadline), List.of(VM_NAME)));
    }

    @Override
    public void withdraw() {
        remove(OWN_EVENT);
        remove(HINT_EVENT);
    }

    @Override
    public void hint() {
        put(new Event(HINT_EVENT, "SpotRebalance", "Scheduled", Optional.empty(), List.of(VM_NAME)));
    }

    @Override
    public int noticesRead() {
        return noticesRead.get();
    }

    @Override
    protected FakeAnswer answer(FakeRequest request) throws IOException, InterruptedException {
        if (!request.header("Metadata").map("true"::equalsIgnoreCase).orElse(false)) {
            return refuse("Required metadata header not specified");
        }
        if (request.header("X-Forwarded-For").isPresent()) {
            return refuse("Request is forwarded");
        }
        String version = query(request);
        if (request.path().equals(INSTANCE) && request.method().equals("GET")) {
            return version.matches("20\\d\\d-\\d\\d-\\d\\d")
                    ? FakeAnswer.json(
                            200,
                            "{\"compute\":{\"name\":\"" + VM_NAME + "\",\"location\":\"westeurope\","
                                    + "\"priority\":\"Spot\",\"vmId\":\"02aab8a4-74ef-476e-8182-f6d2ba4166a6\"}}")
                    : refuse("Bad request. api-version is invalid");
        }
        if (!request.path().equals(EVENTS)) {
            return FakeAnswer.json(404, "{\"error\":\"Not found\"}");
        }
        if (!version.equals(API_VERSION) && !version.equals(PREVIEW_API_VERSION)) {
            return refuse("Bad request. api-version is invalid");
        }
        Duration delay;
        synchronized (this) {
            delay = firstCall;
            firstCall = Duration.ZERO;
        }
        Thread.sleep(delay.toMillis());
        return request.method().equals("POST") ? approve(request.body()) : list(version);
    }

    private synchronized FakeAnswer list(String version) throws IOException {
        ObjectNode document = JSON.createObjectNode().put("DocumentIncarnation", incarnation);
        ArrayNode array = document.putArray("Events");
        for (Event event : events.values()) {
            // A version knows the types that it knows.
            if (event.type().equals("SpotRebalance") && !version.equals(PREVIEW_API_VERSION)) {
                continue;
            }
            ObjectNode one = array.addObject();
            one.put("EventId", event.eventId()).put("EventType", event.type()).put("ResourceType", "VirtualMachine");
            event.resources().forEach(one.putArray("Resources")::add);
            one.put("EventStatus", event.status());
            one.put(
                    "NotBefore",
                    event.notBefore()
                            .map(time -> DateTimeFormatter.RFC_1123_DATE_TIME.format(time.atZone(ZoneOffset.UTC)))
                            .orElse(""));
            one.put("Description", "").put("EventSource", "Platform").put("DurationInSeconds", -1);
            if (event.resources().contains(VM_NAME)) {
                noticesRead.incrementAndGet();
            }
        }
        return FakeAnswer.json(200, JSON.writeValueAsString(document));
    }

    private synchronized FakeAnswer approve(String body) {
        JsonNode wish;
        try {
            wish = JSON.readTree(body);
        } catch (IOException e) {
            return refuse("malformed");
        }
        JsonNode requests = wish.path("StartRequests");
        if (!requests.isArray() || requests.isEmpty()) {
            return refuse("StartRequests is missing");
        }
        for (JsonNode one : requests) {
            String eventId = one.path("EventId").asText();
            if (!events.containsKey(eventId)) {
                return refuse("unknown event " + eventId);
            }
            started.add(eventId);
            begin(eventId);
        }
        return FakeAnswer.json(200, "");
    }

    private static String query(FakeRequest request) {
        String query = request.uri().getQuery();
        if (query != null) {
            for (String part : query.split("&")) {
                if (part.startsWith("api-version=")) {
                    return part.substring("api-version=".length());
                }
            }
        }
        return "";
    }

    private static FakeAnswer refuse(String why) {
        return FakeAnswer.json(400, "{\"error\":\"" + why + "\"}");
    }
}
