// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import java.util.List;

/** All that an EC2 instance can listen to. */
public final class AwsSources {
    /** A day's or an hour's warning: no need to look as often as for two minutes'. */
    private static final long SLOW_POLL_MS = 5_000;

    private AwsSources() {}

    /** @param pollMs between two looks for the spot notice */
    public static List<PreemptionSource> all(String baseUrl, Clocks clocks, long pollMs) {
        Imds imds = new Imds(baseUrl);
        return List.of(
                new SpotActionSource(imds, clocks, pollMs),
                new RebalanceSource(imds, Math.max(pollMs, SLOW_POLL_MS)),
                new MaintenanceSource(imds, clocks, Math.max(pollMs, SLOW_POLL_MS)),
                new LifecycleSource(imds, clocks, pollMs));
    }
}
