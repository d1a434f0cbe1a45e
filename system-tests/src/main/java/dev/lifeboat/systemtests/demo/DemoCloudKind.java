// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import dev.lifeboat.cloudfakes.metadata.AzureMetadata;
import java.util.Locale;
import java.util.Map;

/** How a cloud takes a spot host away (docs/signals.md). */
enum DemoCloudKind {
    AWS(120, true, "rebalance recommendation", Map.of()),
    AZURE(
            30,
            true,
            "rebalance event",
            Map.of(
                    "azureRebalanceApiVersion",
                    AzureMetadata.PREVIEW_API_VERSION,
                    "azureRebalanceEventType",
                    "SpotRebalance")),
    /** With the notice that is asked for at the instance's creation, and the shutdown period after it. */
    GCP(150, false, "", Map.of("preemptionNoticeSeconds", "120"));

    private final int warningSeconds;
    private final boolean hints;
    private final String hint;
    private final Map<String, String> metadataOptions;

    DemoCloudKind(int warningSeconds, boolean hints, String hint, Map<String, String> metadataOptions) {
        this.warningSeconds = warningSeconds;
        this.hints = hints;
        this.hint = hint;
        this.metadataOptions = metadataOptions;
    }

    /** As commands and configurations name it. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** From the notice until the host is off. */
    int warningSeconds() {
        return warningSeconds;
    }

    /** Whether it says beforehand that a host may go; the target is bought then. */
    boolean hints() {
        return hints;
    }

    String hint() {
        return hint;
    }

    Map<String, String> metadataOptions() {
        return metadataOptions;
    }
}
