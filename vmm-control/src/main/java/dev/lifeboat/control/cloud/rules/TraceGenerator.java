// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalMessage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * Makes a trace of the shape that users of the three clouds have reported: of 30 EC2 rebalance recommendations 21 come to
 * nothing and 9 are followed by a termination 17 min to 8 h 42 min later, 6 terminations come without one; Azure promises 30
 * s and often takes 6 to 10; Google gives no notice by default, or 120 s. With them notices that are withdrawn, deadlines that
 * move, and an event that starts without having been scheduled. Equal seeds make equal traces. One thread.
 */
public final class TraceGenerator {
    private static final int MINUTE_MS = 60_000;
    private static final int DAY_MS = 24 * 60 * MINUTE_MS;

    private final Random random;
    private final List<Trace.Entry> entries = new ArrayList<>();

    private TraceGenerator(long seed) {
        random = new Random(seed);
    }

    public static Trace generate(long seed) {
        TraceGenerator generator = new TraceGenerator(seed);
        generator.aws();
        generator.azure();
        generator.google();
        List<Trace.Entry> sorted = new ArrayList<>(generator.entries);
        sorted.sort(Comparator.comparingLong(Trace.Entry::atMs));
        return new Trace(sorted);
    }

    private void aws() {
        for (int i = 0; i < 36; i++) {
            String host = "aws-" + i;
            long at = random.nextInt(DAY_MS);
            boolean hinted = i < 30;
            boolean ends = i < 9 || !hinted;
            if (hinted) {
                report(at, "aws", host, "aws-rebalance", hint("rebalance"));
                at += between(17 * MINUTE_MS, 522 * MINUTE_MS);
            }
            if (!ends) {
                continue;
            }
            // Two minutes, of which a log showed 108 s to be left when the notice was seen.
            long endMs = at + between(100_000, 120_000);
            report(at, "aws", host, "aws-spot-action", notice("terminate", "terminate", endMs - at));
            if (i % 5 == 0) {
                // The deadline moves closer.
                long movedMs = at + between(5_000, 20_000);
                endMs -= between(20_000, 60_000);
                report(movedMs, "aws", host, "aws-spot-action", notice("terminate", "terminate", endMs - movedMs));
            }
            gone(endMs, "aws", host);
        }
        // A notice that is taken back.
        long at = random.nextInt(DAY_MS);
        report(at, "aws", "aws-withdrawn", "aws-spot-action", notice("terminate", "terminate", 118_000));
        report(at + 40_000, "aws", "aws-withdrawn", "aws-spot-action");
        // A reboot that is known a day before, and that is a notice in its last quarter of an hour.
        report(at, "aws", "aws-reboot", "aws-maintenance", message("e-1", Signal.Kind.HINT, "system-reboot", DAY_MS));
        report(
                at + DAY_MS - 15L * MINUTE_MS,
                "aws",
                "aws-reboot",
                "aws-maintenance",
                message("e-1", Signal.Kind.NOTICE, "system-reboot", 15 * MINUTE_MS));
        gone(at + DAY_MS, "aws", "aws-reboot");
    }

    private void azure() {
        for (int i = 0; i < 12; i++) {
            String host = "azure-" + i;
            String event = new java.util.UUID(random.nextLong(), random.nextLong()).toString();
            long at = random.nextInt(DAY_MS);
            if (i == 11) {
                // Broken hardware: started without having been scheduled.
                report(
                        at,
                        "azure",
                        host,
                        "azure-scheduled-events",
                        message(event, Signal.Kind.SHUTDOWN, "Redeploy", 10_000));
                gone(at + between(4_000, 10_000), "azure", host);
                continue;
            }
            report(at, "azure", host, "azure-scheduled-events", message(event, Signal.Kind.NOTICE, "Preempt", 30_000));
            if (i >= 9) {
                report(at + between(3_000, 20_000), "azure", host, "azure-scheduled-events");
                continue;
            }
            boolean early = i < 6;
            long endMs = at + (early ? between(6_000, 10_000) : between(27_000, 30_000));
            report(
                    endMs - 1_000,
                    "azure",
                    host,
                    "azure-scheduled-events",
                    message(event, Signal.Kind.SHUTDOWN, "Preempt", 10_000));
            gone(endMs, "azure", host);
        }
        long at = random.nextInt(DAY_MS);
        report(
                at,
                "azure",
                "azure-freeze",
                "azure-scheduled-events",
                message("freeze", Signal.Kind.HINT, "Freeze", 900_000));
        report(at + 905_000, "azure", "azure-freeze", "azure-scheduled-events");
    }

    private void google() {
        for (int i = 0; i < 10; i++) {
            String host = "gcp-" + i;
            long at = random.nextInt(DAY_MS);
            if (i < 6) {
                // Without a notice: the value flips as the shutdown begins, and both ways of reading it see that.
                report(at, "gcp", host, "google-preempted", message("TRUE", Signal.Kind.SHUTDOWN, "preempt", 30_000));
                report(
                        at + between(10, 5_000),
                        "gcp",
                        host,
                        "google-preempted-poll",
                        message("TRUE", Signal.Kind.SHUTDOWN, "preempt", 30_000));
                gone(at + between(20_000, 30_000), "gcp", host);
            } else if (i < 9) {
                report(at, "gcp", host, "google-preempted", message("TRUE", Signal.Kind.NOTICE, "preempt", 120_000));
                report(
                        at + 120_000,
                        "gcp",
                        host,
                        "host-shutdown",
                        message("shutdown", Signal.Kind.SHUTDOWN, "shutdown", 30_000));
                gone(at + 120_000 + between(10_000, 30_000), "gcp", host);
            } else {
                report(at, "gcp", host, "google-maintenance", hint("migrate"));
                report(at + between(60_000, 90_000), "gcp", host, "google-maintenance");
            }
        }
    }

    private long between(int least, int most) {
        return least + random.nextInt(most - least + 1);
    }

    private void report(long atMs, String cloud, String host, String source, SignalMessage... standing) {
        entries.add(new Trace.Entry(atMs, cloud, host, source, List.of(standing), false));
    }

    private void gone(long atMs, String cloud, String host) {
        entries.add(new Trace.Entry(atMs, cloud, host, "", List.of(), true));
    }

    private static SignalMessage hint(String action) {
        return new SignalMessage(action, Signal.Kind.HINT, action, Optional.empty(), Signal.Confidence.LOW, "");
    }

    private static SignalMessage notice(String eventId, String action, long leftMs) {
        return new SignalMessage(eventId, Signal.Kind.NOTICE, action, Optional.of(leftMs), Signal.Confidence.HIGH, "");
    }

    private static SignalMessage message(String eventId, Signal.Kind kind, String action, long leftMs) {
        return new SignalMessage(eventId, kind, action, Optional.of(leftMs), Signal.Confidence.MEDIUM, "");
    }
}
