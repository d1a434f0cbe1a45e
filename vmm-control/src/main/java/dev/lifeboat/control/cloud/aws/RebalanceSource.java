// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The rebalance recommendation: noise as often as not, and sometimes hours ahead. Runs on its thread {@code
 * signal-aws-rebalance}.
 */
final class RebalanceSource extends LookingSource {
    static final String NAME = "aws-rebalance";
    static final String PATH = "/latest/meta-data/events/recommendations/rebalance";

    private final Imds imds;

    RebalanceSource(Imds imds, long pollMs) {
        super(NAME, pollMs);
        this.imds = imds;
    }

    @Override
    protected List<Signal> look() throws IOException {
        Optional<MetadataHttp.Answer> answer = imds.get(PATH);
        if (answer.isEmpty()) {
            return List.of();
        }
        JsonNode hint;
        try {
            hint = Json.MAPPER.readTree(answer.get().body());
        } catch (IOException e) {
            throw new IOException(PATH + " answers something else than JSON", e);
        }
        String time = hint.path("noticeTime").asText();
        return List.of(new Signal(
                NAME,
                "",
                "rebalance " + time,
                Signal.Kind.HINT,
                "rebalance",
                OptionalLong.empty(),
                Signal.Confidence.LOW,
                "recommended at " + time));
    }
}
