// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import java.time.Instant;
import java.util.PriorityQueue;

/** What happens later, by the fake's clock. Under the fake's lock. */
final class Timeline {
    private record Event(Instant at, long number, Runnable action) {}

    private final PriorityQueue<Event> events = new PriorityQueue<>((a, b) -> {
        int byTime = a.at().compareTo(b.at());
        return byTime != 0 ? byTime : Long.compare(a.number(), b.number());
    });
    private long next;

    void at(Instant when, Runnable action) {
        events.add(new Event(when, next++, action));
    }

    void runUntil(Instant now) {
        while (!events.isEmpty() && !events.peek().at().isAfter(now)) {
            events.poll().action().run();
        }
    }
}
