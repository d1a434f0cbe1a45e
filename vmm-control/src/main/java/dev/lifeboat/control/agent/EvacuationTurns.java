// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Lets a few evacuations run at a time, in the order in which they came, so that they share the host's bandwidth and some
 * are through early instead of all too late. No thread of its own: the end of one starts the next. Thread-safe.
 */
final class EvacuationTurns {
    /**
     * One sends while another switches, which needs no bandwidth but seconds, and a third prepares its target; the fourth is
     * for targets that are slow.
     */
    static final int AT_ONCE = 4;

    // Guarded by this; at most one entry a VM, for Agent knows those that are not over.
    private final Deque<Evacuation> waiting = new ArrayDeque<>();
    private int running;

    void queue(Evacuation evacuation) {
        synchronized (this) {
            waiting.addLast(evacuation);
        }
        next();
    }

    /** The evacuation that had the turn has ended, or has tried all targets and waits for better times. */
    void over() {
        synchronized (this) {
            running--;
        }
        next();
    }

    /** One that runs goes on: it may have gone too far to be worth a stop. */
    void cancelWaiting(String vmId, String why) {
        List<Evacuation> cancelled = new ArrayList<>();
        synchronized (this) {
            waiting.removeIf(evacuation -> evacuation.vmId().equals(vmId) && cancelled.add(evacuation));
        }
        cancelled.forEach(evacuation -> evacuation.cancel(why));
    }

    private void next() {
        while (true) {
            Evacuation first;
            boolean inTime;
            synchronized (this) {
                if (running >= AT_ONCE || waiting.isEmpty()) {
                    return;
                }
                first = waiting.removeFirst();
                inTime = first.hasTime();
                if (inTime) {
                    running++;
                }
            }
            if (inTime) {
                first.start();
            } else {
                first.leaveBehind();
            }
        }
    }
}
