// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.Signal;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * Scheduled Events that are about this VM. Each is approved once the host holds no VM any more, never before: approval
 * lets the cloud begin at once. Runs on its thread {@code signal-azure-scheduled-events}.
 */
final class ScheduledEventsSource extends LookingSource {
    static final String NAME = "azure-scheduled-events";
    static final String API_VERSION = "2020-07-01";
    /** The least that the documentation promises for Preempt; the other types have minutes. */
    static final long ASSUMED_MS = 30_000;
    /** An event that has started without our having seen a time: it happens now. Real evictions took less than 10 s. */
    static final long STARTED_MS = 10_000;

    private final ScheduledEvents service;
    private final Clocks clocks;
    private final BooleanSupplier hostIsEmpty;
    private final Set<String> approved = new HashSet<>();
    private final List<ScheduledEvents.Event> own = new ArrayList<>();

    ScheduledEventsSource(ScheduledEvents service, Clocks clocks, long pollMs, BooleanSupplier hostIsEmpty) {
        super(NAME, pollMs);
        this.service = service;
        this.clocks = clocks;
        this.hostIsEmpty = hostIsEmpty;
    }

    @Override
    protected List<Signal> look() throws IOException {
        String me = service.vmName();
        ScheduledEvents.Document document = service.read();
        long skewMs = clocks.skewMillis(document.dateMillis());
        List<Signal> standing = new ArrayList<>();
        Set<String> ids = new HashSet<>();
        own.clear();
        for (ScheduledEvents.Event event : document.events()) {
            // Events of a whole availability set are told to all of its VMs.
            if (event.resources().contains(me)) {
                ids.add(event.id());
                standing.add(signal(event, skewMs));
                own.add(event);
            }
        }
        approved.retainAll(ids);
        return standing;
    }

    @Override
    protected void afterLook() throws IOException {
        for (ScheduledEvents.Event event : own) {
            approveWhenEmpty(event);
        }
    }

    private void approveWhenEmpty(ScheduledEvents.Event event) throws IOException {
        // An approval counts for all VMs of the event: others' time is not ours to give away.
        if (event.status().equals("Scheduled")
                && event.resources().size() == 1
                && !event.type().equals("Freeze")
                && !approved.contains(event.id())
                && hostIsEmpty.getAsBoolean()) {
            service.approve(event.id());
            approved.add(event.id());
        }
    }

    private Signal signal(ScheduledEvents.Event event, long skewMs) {
        boolean started = event.status().equals("Started");
        OptionalLong deadlineNs = OptionalLong.empty();
        if (!event.notBefore().isEmpty()) {
            try {
                deadlineNs = OptionalLong.of(clocks.toNanos(
                        ZonedDateTime.parse(event.notBefore(), DateTimeFormatter.RFC_1123_DATE_TIME)
                                .toInstant(),
                        skewMs));
            } catch (DateTimeException e) {
                // Assumed below.
            }
        }
        // A freeze ends by itself after seconds and keeps the memory: worth a target, not a move.
        boolean ends = !event.type().equals("Freeze");
        boolean read = deadlineNs.isPresent();
        if (ends && !read) {
            deadlineNs = OptionalLong.of(clocks.inMillis(started ? STARTED_MS : ASSUMED_MS));
        }
        Signal.Kind kind = !ends ? Signal.Kind.HINT : started ? Signal.Kind.SHUTDOWN : Signal.Kind.NOTICE;
        return new Signal(
                NAME,
                "",
                event.id(),
                kind,
                event.type(),
                deadlineNs,
                read ? Signal.Confidence.HIGH : Signal.Confidence.MEDIUM,
                event.status()
                        + (event.notBefore().isEmpty() ? "" : ", not before " + event.notBefore())
                        + (event.description().isEmpty() ? "" : ": " + event.description())
                        + (skewMs == 0 ? "" : "; the cloud's clock is " + skewMs + " ms ahead of ours, corrected"));
    }
}
