// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The agent's time line: the last {@value #KEPT} events, also logged. Thread-safe. */
public final class Events {
    static final int KEPT = 1_000;
    private static final Logger LOG = LoggerFactory.getLogger("events");

    /**
     * @param number from 1, without gaps
     * @param kind such as {@code notice}, {@code evacuation-switched}; docs/operations.md lists them
     * @param vmId empty for events of the host
     */
    public record Event(long number, long atMillis, String kind, String vmId, String message) {}

    private final ArrayDeque<Event> events = new ArrayDeque<>();
    private long last;

    public synchronized void add(String kind, String vmId, String message) {
        if (events.size() == KEPT) {
            events.removeFirst();
        }
        events.addLast(new Event(++last, System.currentTimeMillis(), kind, vmId, message));
        org.slf4j.spi.LoggingEventBuilder entry = kind.endsWith("failed") ? LOG.atWarn() : LOG.atInfo();
        entry.log("{}{}: {}", kind, vmId.isEmpty() ? "" : " " + vmId, message);
    }

    /** Events with a number above {@code after}, oldest first. */
    public synchronized List<Event> after(long after) {
        List<Event> found = new ArrayList<>();
        for (Event event : events) {
            if (event.number() > after) {
                found.add(event);
            }
        }
        return found;
    }
}
