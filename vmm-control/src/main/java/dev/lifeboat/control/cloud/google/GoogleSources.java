// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.PreemptionSource;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** All that a Compute Engine instance can listen to. */
public final class GoogleSources {
    /** Option of {@code agent.json}: the {@code preemptionNoticeDuration} the instance was made with, 0 or 120. */
    public static final String NOTICE_SECONDS = "preemptionNoticeSeconds";

    static final Map<String, String> HEADERS = Map.of("Metadata-Flavor", "Google");
    static final String BASE = "/computeMetadata/v1/";

    private GoogleSources() {}

    /** Whether the service at the address is this one. */
    public static boolean answers(String baseUrl) {
        try {
            MetadataHttp.Answer answer =
                    new MetadataHttp(baseUrl).get(BASE + "instance/id", HEADERS, MetadataHttp.LIMIT_MS);
            return answer.ok() && answer.flavor().map("Google"::equals).orElse(false);
        } catch (IOException e) {
            return false;
        }
    }

    /** Each value is waited for, and looked at without waiting as well: a wait can hang on a connection that is dead. */
    public static List<PreemptionSource> all(String baseUrl, Clocks clocks, Map<String, String> options) {
        MetadataHttp http = new MetadataHttp(baseUrl);
        MetadataValue preempted = MetadataValue.preempted(clocks, noticeSeconds(options));
        MetadataValue maintenance = MetadataValue.maintenance(clocks);
        return List.of(
                new WaitingSource("google-preempted", http, preempted),
                new WaitingSource("google-maintenance", http, maintenance),
                new PollingSource("google-preempted-poll", http, preempted),
                new PollingSource("google-maintenance-poll", http, maintenance));
    }

    private static int noticeSeconds(Map<String, String> options) {
        String text = options.getOrDefault(NOTICE_SECONDS, "0");
        if (!text.matches("\\d{1,4}")) {
            throw new IllegalArgumentException("\"" + NOTICE_SECONDS
                    + "\" must be the seconds of the instance's preemption notice, 0 or 120, not " + text);
        }
        return Integer.parseInt(text);
    }
}
