// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Scheduled maintenance: reboots, stops, retirements. They are known for days; a host is still of use until shortly before.
 * Runs on its thread {@code signal-aws-maintenance}.
 */
final class MaintenanceSource extends LookingSource {
    static final String NAME = "aws-maintenance";
    static final String PATH = "/latest/meta-data/events/maintenance/scheduled";
    /** From here on the event is a notice: as long as the longest that Azure gives, and enough for 50 VMs in turn. */
    static final long NEAR_MS = 15 * 60_000;
    /** Such as {@code 21 Jan 2019 09:00:43 GMT}. */
    private static final DateTimeFormatter FORM =
            DateTimeFormatter.ofPattern("d MMM yyyy HH:mm:ss 'GMT'", Locale.ENGLISH);

    private final Imds imds;
    private final Clocks clocks;

    MaintenanceSource(Imds imds, Clocks clocks, long pollMs) {
        super(NAME, pollMs);
        this.imds = imds;
        this.clocks = clocks;
    }

    @Override
    protected List<Signal> look() throws IOException {
        Optional<MetadataHttp.Answer> answer = imds.get(PATH);
        if (answer.isEmpty()) {
            return List.of();
        }
        JsonNode events;
        try {
            events = Json.MAPPER.readTree(answer.get().body());
        } catch (IOException e) {
            throw new IOException(PATH + " answers something else than JSON", e);
        }
        List<Signal> standing = new ArrayList<>();
        for (JsonNode event : events) {
            String state = event.path("State").asText("active");
            if (state.equals("active")) {
                standing.add(parse(event, clocks.skewMillis(answer.get().dateMillis())));
            }
        }
        return standing;
    }

    private Signal parse(JsonNode event, long skewMs) {
        String code = event.path("Code").asText("maintenance");
        String notBefore = event.path("NotBefore").asText();
        String detail = event.path("Description").asText() + ", not before " + notBefore;
        OptionalLong deadlineNs;
        boolean near;
        try {
            long ns = clocks.toNanos(LocalDateTime.parse(notBefore, FORM).toInstant(ZoneOffset.UTC), skewMs);
            deadlineNs = OptionalLong.of(ns);
            near = clocks.leftMillis(ns) <= NEAR_MS;
        } catch (DateTimeParseException e) {
            deadlineNs = OptionalLong.empty();
            near = false;
        }
        return new Signal(
                NAME,
                "",
                event.path("EventId").asText(code),
                near ? Signal.Kind.NOTICE : Signal.Kind.HINT,
                code,
                deadlineNs,
                deadlineNs.isPresent() ? Signal.Confidence.HIGH : Signal.Confidence.LOW,
                detail);
    }
}
