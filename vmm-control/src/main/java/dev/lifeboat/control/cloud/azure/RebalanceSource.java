// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure;

import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.Signal;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The hint that comes before an eviction, a preview: which api-version and type of event it has is the user's to say. To
 * approve it has no effect. Runs on its thread {@code signal-azure-rebalance}.
 */
final class RebalanceSource extends LookingSource {
    static final String NAME = "azure-rebalance";

    private final ScheduledEvents service;
    private final String eventType;

    RebalanceSource(ScheduledEvents service, String eventType, long pollMs) {
        super(NAME, pollMs);
        this.service = service;
        this.eventType = eventType;
    }

    @Override
    protected List<Signal> look() throws IOException {
        String me = service.vmName();
        List<Signal> standing = new ArrayList<>();
        for (ScheduledEvents.Event event : service.read().events()) {
            if (event.type().equals(eventType) && event.resources().contains(me)) {
                standing.add(new Signal(
                        NAME,
                        "",
                        event.id(),
                        Signal.Kind.HINT,
                        "rebalance",
                        OptionalLong.empty(),
                        Signal.Confidence.LOW,
                        event.type() + " " + event.status()));
            }
        }
        return standing;
    }
}
