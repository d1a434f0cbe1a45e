// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** All that an Azure VM can listen to. */
public final class AzureSources {
    /** Options of {@code agent.json}; the preview is listened to when both are set. */
    public static final String REBALANCE_API_VERSION = "azureRebalanceApiVersion";

    public static final String REBALANCE_EVENT_TYPE = "azureRebalanceEventType";

    private AzureSources() {}

    /**
     * @param pollMs between two looks; one second is what the documentation advises
     * @param hostIsEmpty whether every VM has left this host, and nothing here serves one that has
     */
    public static List<PreemptionSource> all(
            String baseUrl, Clocks clocks, long pollMs, Map<String, String> options, BooleanSupplier hostIsEmpty) {
        List<PreemptionSource> sources = new ArrayList<>();
        sources.add(new ScheduledEventsSource(
                new ScheduledEvents(baseUrl, ScheduledEventsSource.API_VERSION), clocks, pollMs, hostIsEmpty));
        if (options.containsKey(REBALANCE_API_VERSION) && options.containsKey(REBALANCE_EVENT_TYPE)) {
            sources.add(new RebalanceSource(
                    new ScheduledEvents(baseUrl, options.get(REBALANCE_API_VERSION)),
                    options.get(REBALANCE_EVENT_TYPE),
                    pollMs));
        }
        return sources;
    }
}
