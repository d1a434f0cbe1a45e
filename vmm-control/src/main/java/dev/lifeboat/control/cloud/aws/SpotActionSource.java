// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** The spot interruption notice. Runs on its thread {@code signal-aws-spot-action}. */
final class SpotActionSource extends LookingSource {
    static final String NAME = "aws-spot-action";
    static final String PATH = "/latest/meta-data/spot/instance-action";
    /**
     * The deadline assumed when a notice has no time we can read, and for {@code hibernate}, which begins at once whatever
     * time is named. AWS gives two minutes for the others; to act early costs nothing, to act late costs the VM.
     */
    static final long ASSUMED_MS = 30_000;

    private final Imds imds;
    private final Clocks clocks;

    SpotActionSource(Imds imds, Clocks clocks, long pollMs) {
        super(NAME, pollMs);
        this.imds = imds;
        this.clocks = clocks;
    }

    @Override
    protected List<Signal> look() throws IOException {
        Optional<MetadataHttp.Answer> answer = imds.get(PATH);
        return answer.isEmpty() ? List.of() : List.of(parse(answer.get()));
    }

    @Override
    protected void prepare() throws IOException {
        parse(new MetadataHttp.Answer(
                200, "{\"action\":\"stop\",\"time\":\"2026-01-01T00:00:00Z\"}", 0, Optional.empty(), Optional.empty()));
    }

    private Signal parse(MetadataHttp.Answer answer) throws IOException {
        JsonNode notice;
        try {
            notice = Json.MAPPER.readTree(answer.body());
        } catch (IOException e) {
            throw new IOException(PATH + " answers something else than JSON", e);
        }
        if (!notice.hasNonNull("action")) {
            throw new IOException(PATH + " answers without an action: " + answer.body());
        }
        String action = notice.get("action").asText();
        String time = notice.path("time").asText();
        long skewMs = clocks.skewMillis(answer.dateMillis());
        long assumedNs = clocks.inMillis(ASSUMED_MS);
        long deadlineNs = assumedNs;
        boolean read = true;
        try {
            deadlineNs = clocks.toNanos(Instant.parse(time), skewMs);
        } catch (DateTimeParseException e) {
            read = false;
        }
        boolean atOnce = action.equals("hibernate");
        if (atOnce && deadlineNs - assumedNs > 0) {
            deadlineNs = assumedNs;
        }
        // There is no id. The time is not part of this one: some mock services move it at every look.
        return new Signal(
                NAME,
                "",
                action,
                atOnce ? Signal.Kind.SHUTDOWN : Signal.Kind.NOTICE,
                action,
                OptionalLong.of(deadlineNs),
                read && !atOnce ? Signal.Confidence.HIGH : Signal.Confidence.MEDIUM,
                (read ? "announced for " + time : "no time that can be read: \"" + time + "\"")
                        + (skewMs == 0 ? "" : "; the cloud's clock is " + skewMs + " ms ahead of ours, corrected"));
    }
}
