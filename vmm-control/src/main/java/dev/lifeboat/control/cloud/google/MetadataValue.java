// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.Signal;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * One value of the metadata server and what it means. Immutable.
 *
 * @param calm the value when nothing is planned
 * @param meanings of the other values
 */
record MetadataValue(String path, String calm, Map<String, Meaning> meanings, Clocks clocks) {

    /** @param leftMs after the value has changed; negative: the cloud names no time and gives none */
    record Meaning(Signal.Kind kind, String action, long leftMs, String detail) {}

    /** Between ACPI soft off and hard off, at best; all there is without a notice. */
    static final long SHUTDOWN_MS = 30_000;
    /** A change of {@code maintenance-event} comes this long ahead. */
    static final long MAINTENANCE_MS = 60_000;

    static MetadataValue preempted(Clocks clocks, int noticeSeconds) {
        boolean noticed = noticeSeconds > 0;
        return new MetadataValue(
                GoogleSources.BASE + "instance/preempted",
                "FALSE",
                Map.of(
                        "TRUE",
                        new Meaning(
                                noticed ? Signal.Kind.NOTICE : Signal.Kind.SHUTDOWN,
                                "preempt",
                                // The 30 s of the shutdown that follows a notice are best effort: not counted on.
                                noticed ? noticeSeconds * 1_000L : SHUTDOWN_MS,
                                noticed
                                        ? "preempted, with a notice of " + noticeSeconds + " s"
                                        : "preempted, without a notice: the shutdown has begun")),
                clocks);
    }

    static MetadataValue maintenance(Clocks clocks) {
        return new MetadataValue(
                GoogleSources.BASE + "instance/maintenance-event",
                "NONE",
                Map.of(
                        "TERMINATE_ON_HOST_MAINTENANCE",
                        new Meaning(
                                Signal.Kind.NOTICE,
                                "terminate",
                                MAINTENANCE_MS,
                                "host maintenance ends this instance in 60 s"),
                        "MIGRATE_ON_HOST_MAINTENANCE",
                        new Meaning(
                                Signal.Kind.HINT,
                                "migrate",
                                -1,
                                "the cloud is about to migrate this instance, with everything in it")),
                clocks);
    }

    /** @throws IllegalArgumentException for a value that is not known */
    List<Signal> signals(String source, String value) {
        if (value.equals(calm)) {
            return List.of();
        }
        Meaning meaning = meanings.get(value);
        if (meaning == null) {
            throw new IllegalArgumentException(path + " says \"" + value + "\", which means nothing here");
        }
        return List.of(new Signal(
                source,
                "",
                value,
                meaning.kind(),
                meaning.action(),
                meaning.leftMs() < 0 ? OptionalLong.empty() : OptionalLong.of(clocks.inMillis(meaning.leftMs())),
                Signal.Confidence.MEDIUM,
                meaning.detail()));
    }
}
