// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.MetadataHttp.Answer;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The two documents of Azure's metadata service that matter here. Thread-safe. */
public final class ScheduledEvents {
    private static final Map<String, String> HEADERS = Map.of("Metadata", "true");
    private static final String INSTANCE = "/metadata/instance?api-version=2021-02-01";
    private static final String EVENTS = "/metadata/scheduledevents?api-version=";
    /** The first call of a VM switches the service on, which may take two minutes. */
    private static final int FIRST_LIMIT_MS = 125_000;

    private final MetadataHttp http;
    private final String apiVersion;
    private volatile Optional<String> name = Optional.empty();
    private volatile boolean on;

    public ScheduledEvents(String baseUrl, String apiVersion) {
        http = new MetadataHttp(baseUrl);
        this.apiVersion = apiVersion;
    }

    /**
     * @param notBefore as the service writes it; blank once the event has started
     * @param resources names of the VMs that it is about
     */
    record Event(String id, String type, String status, String notBefore, List<String> resources, String description) {}

    /** @param incarnation changes with the list and only then */
    record Document(long incarnation, List<Event> events, long dateMillis) {}

    /** Whether the service at the address is this one. */
    public boolean answers() {
        try {
            return !vmName().isEmpty();
        } catch (IOException e) {
            return false;
        }
    }

    /** This VM's name, as lists of resources have it. Asked once. */
    String vmName() throws IOException {
        if (name.isEmpty()) {
            Answer answer = http.get(INSTANCE, HEADERS, MetadataHttp.LIMIT_MS);
            String found = json(answer, INSTANCE).path("compute").path("name").asText();
            if (found.isEmpty()) {
                throw new IOException(http.baseUrl() + INSTANCE + " names no VM");
            }
            name = Optional.of(found);
        }
        return name.get();
    }

    Document read() throws IOException {
        String path = EVENTS + apiVersion;
        Answer answer = http.get(path, HEADERS, on ? MetadataHttp.LIMIT_MS : FIRST_LIMIT_MS);
        JsonNode document = json(answer, path);
        if (!document.path("Events").isArray()) {
            throw new IOException(http.baseUrl() + path + " answers without a list of events");
        }
        on = true;
        List<Event> events = new ArrayList<>();
        for (JsonNode event : document.get("Events")) {
            List<String> resources = new ArrayList<>();
            event.path("Resources").forEach(resource -> resources.add(resource.asText()));
            events.add(new Event(
                    event.path("EventId").asText(),
                    event.path("EventType").asText(),
                    event.path("EventStatus").asText(),
                    event.path("NotBefore").asText().strip(),
                    resources,
                    event.path("Description").asText()));
        }
        return new Document(document.path("DocumentIncarnation").asLong(), events, answer.dateMillis());
    }

    /** Tells the cloud that it need not wait any longer. */
    void approve(String eventId) throws IOException {
        String path = EVENTS + apiVersion;
        String body = Json.MAPPER
                .createObjectNode()
                .set(
                        "StartRequests",
                        Json.MAPPER
                                .createArrayNode()
                                .add(Json.MAPPER.createObjectNode().put("EventId", eventId)))
                .toString();
        Answer answer = http.post(path, HEADERS, body, MetadataHttp.LIMIT_MS);
        if (!answer.ok()) {
            throw new IOException(
                    "POST " + http.baseUrl() + path + ": HTTP status " + answer.status() + " " + answer.body());
        }
    }

    private JsonNode json(Answer answer, String path) throws IOException {
        if (!answer.ok()) {
            throw new IOException(http.baseUrl() + path + ": HTTP status " + answer.status() + " " + answer.body());
        }
        try {
            JsonNode document = Json.MAPPER.readTree(answer.body());
            if (document != null) {
                return document;
            }
        } catch (IOException e) {
            throw new IOException(http.baseUrl() + path + " answers something else than JSON", e);
        }
        throw new IOException(http.baseUrl() + path + " answers nothing");
    }
}
