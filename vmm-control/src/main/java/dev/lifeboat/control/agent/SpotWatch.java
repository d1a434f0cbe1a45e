// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Looks for the spot notice for as long as the agent lives, on the thread {@code spot-watch}. No error ever stops it: a
 * metadata service that is away now may have the notice next. It speaks up once for a notice, and again only when the
 * deadline moves closer.
 */
final class SpotWatch implements AutoCloseable {
    /** Deadlines that differ by less are the same one. */
    private static final long SAME_DEADLINE_MS = 5_000;
    /** How often an error that lasts is reported. */
    private static final long REMIND_NS = TimeUnit.MINUTES.toNanos(1);

    private final ImdsClient imds;
    private final long pollMillis;
    private final Events events;
    private final Consumer<SpotNotice> onNotice;
    private final Thread thread = new Thread(this::run, "spot-watch");

    private volatile Optional<SpotNotice> notice = Optional.empty();
    private boolean failing;
    private long reportedNs;

    SpotWatch(ImdsClient imds, long pollMillis, Events events, Consumer<SpotNotice> onNotice) {
        this.imds = imds;
        this.pollMillis = pollMillis;
        this.events = events;
        this.onNotice = onNotice;
    }

    void start() {
        thread.setDaemon(true);
        thread.start();
    }

    /** The notice that stands, if there is one. Any thread. */
    Optional<SpotNotice> notice() {
        return notice;
    }

    @Override
    public void close() {
        thread.interrupt();
    }

    private void run() {
        try {
            while (true) {
                try {
                    look();
                } catch (RuntimeException e) {
                    report("spot-watch-failed", "unexpected: " + e);
                }
                Thread.sleep(pollMillis);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look() {
        Optional<SpotNotice> found;
        try {
            found = imds.look();
        } catch (IOException e) {
            report(
                    "spot-watch-failed",
                    "the metadata service does not answer (" + e.getMessage() + "); a notice would be missed");
            return;
        }
        if (failing) {
            failing = false;
            events.add("spot-watch-recovered", "", "the metadata service answers again");
        }
        if (found.isEmpty()) {
            if (notice.isPresent()) {
                notice = Optional.empty();
                events.add("notice-withdrawn", "", "the cloud took the notice back; moves under way go on");
            }
            return;
        }
        SpotNotice fresh = found.get();
        boolean news = notice.map(known -> fresh.deadlineMillis() < known.deadlineMillis() - SAME_DEADLINE_MS)
                .orElse(true);
        if (news) {
            notice = found;
            events.add(
                    "notice",
                    "",
                    "the cloud will " + fresh.action() + " this host in "
                            + (fresh.deadlineMillis() - System.currentTimeMillis()) + " ms"
                            + (fresh.clockSkewMillis() == 0
                                    ? ""
                                    : "; its clock is " + fresh.clockSkewMillis() + " ms ahead of ours, corrected"));
            onNotice.accept(fresh);
        }
    }

    private void report(String kind, String message) {
        long now = System.nanoTime();
        if (!failing || now - reportedNs >= REMIND_NS) {
            failing = true;
            reportedNs = now;
            events.add(kind, "", message);
        }
    }
}
