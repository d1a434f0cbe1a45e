// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalMessage;
import dev.lifeboat.control.cloud.SignalSink;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * What sources outside of the hosts say, such as a queue of the cloud's events: kept here, and told to each host it is about
 * with every word to it, so that nothing is lost when one is not heard. Thread-safe; each source has a thread {@code
 * signal-NAME}.
 */
final class FleetSignals implements SignalSink, AutoCloseable {
    private final Clocks clocks;
    private final Function<String, Optional<String>> instances;
    private final Events events;
    private final Runnable onChange;
    private final List<Thread> threads = new ArrayList<>();

    // Guarded by this.
    private final Map<String, List<Signal>> standing = new HashMap<>();
    private final Set<String> spokenOf = new HashSet<>();
    private final Set<String> failing = new HashSet<>();

    /**
     * @param instances from a host's name to the cloud's name of it
     * @param onChange called on a source's thread when there is something new to tell
     */
    FleetSignals(Clocks clocks, Function<String, Optional<String>> instances, Events events, Runnable onChange) {
        this.clocks = clocks;
        this.instances = instances;
        this.events = events;
        this.onChange = onChange;
    }

    void start(List<PreemptionSource> sources) {
        for (PreemptionSource source : sources) {
            Thread thread = new Thread(
                    () -> {
                        try {
                            source.watch(this);
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    },
                    "signal-" + source.name());
            thread.setDaemon(true);
            threads.add(thread);
            thread.start();
        }
    }

    /**
     * All that stands for a host; empty while nothing was ever said of it: a controller that has just started does not know
     * what the one before it was told, and takes nothing back.
     */
    synchronized Optional<List<SignalMessage>> of(String host) {
        Optional<String> instance = instances.apply(host).filter(spokenOf::contains);
        return instance.map(id -> standing.values().stream()
                .flatMap(List::stream)
                .filter(signal -> signal.instance().equals(id))
                .map(signal -> SignalMessage.of(signal, clocks))
                .toList());
    }

    @Override
    public void standing(String source, List<Signal> signals) {
        boolean changed;
        synchronized (this) {
            if (failing.remove(source)) {
                events.add("signals-heard-again", "", source);
            }
            List<Signal> before = standing.put(source, List.copyOf(signals));
            changed = !signals.equals(before == null ? List.of() : before);
            signals.forEach(signal -> spokenOf.add(signal.instance()));
        }
        if (changed) {
            onChange.run();
        }
    }

    /** What the source said last still stands. */
    @Override
    public synchronized void failed(String source, String why) {
        if (failing.add(source)) {
            events.add("signals-failed", "", source + " cannot look (" + why + "); hosts look for themselves, too");
        }
    }

    @Override
    public void close() {
        threads.forEach(Thread::interrupt);
    }
}
