// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * What all sources together say: several that tell of one event are one signal, of the strongest kind and with the
 * earliest deadline. Thread-safe; the listener is called on the reporting source's thread, one call at a time and in order.
 */
public final class SignalBoard implements SignalSink {
    /** Deadlines that differ by less are the same one: clouds round them, and Date headers have whole seconds. */
    static final long SAME_DEADLINE_NS = TimeUnit.SECONDS.toNanos(5);
    /** How often an error that lasts is told. */
    static final long REMIND_NS = TimeUnit.MINUTES.toNanos(1);

    /** Hears of changes only. Must be quick: sources wait for it. */
    public interface Listener {
        /** A signal that did not stand before. */
        void appeared(Signal signal);

        /** The same event, now of a stronger kind or with an earlier deadline. */
        void tightened(Signal signal);

        /** No source tells of it any more. */
        void withdrawn(Signal signal);

        /** A source cannot look; again after a minute while that lasts. */
        void failing(String source, String why);

        void recovered(String source);
    }

    /** @param members source and event id of each signal that is folded into this one */
    private record Entry(Signal signal, Set<String> members, Signal told) {}

    private final Clocks clocks;
    private final Listener listener;

    // Guarded by this. Sorted, so that the outcome does not depend on which source spoke first.
    private final Map<String, List<Signal>> reports = new TreeMap<>();
    private final Map<String, Long> failingToldNs = new HashMap<>();
    private List<Entry> entries = List.of();

    public SignalBoard(Clocks clocks, Listener listener) {
        this.clocks = clocks;
        this.listener = listener;
    }

    @Override
    public synchronized void standing(String source, List<Signal> signals) {
        if (failingToldNs.remove(source) != null) {
            listener.recovered(source);
        }
        List<Signal> earlier = reports.put(source, List.copyOf(signals));
        if (!signals.isEmpty() || (earlier != null && !earlier.isEmpty())) {
            refresh();
        }
    }

    /** What the source said last still stands: a service that is away has not withdrawn anything. */
    @Override
    public synchronized void failed(String source, String why) {
        long now = clocks.nanos().getAsLong();
        Long told = failingToldNs.get(source);
        if (told == null || now - told >= REMIND_NS) {
            failingToldNs.put(source, now);
            listener.failing(source, why);
        }
    }

    /** All that stands, the strongest and most urgent first. */
    public synchronized List<Signal> standing() {
        return entries.stream().map(Entry::signal).toList();
    }

    /** The most urgent announcement that the host of this board goes away. */
    public Optional<Signal> notice() {
        return standing().stream()
                .filter(signal -> signal.instance().isEmpty() && signal.kind() != Signal.Kind.HINT)
                .min(Comparator.comparingLong(signal -> signal.deadlineNs().isPresent()
                        ? signal.deadlineNs().getAsLong() - clocks.nanos().getAsLong()
                        : Long.MAX_VALUE));
    }

    private void refresh() {
        List<Entry> before = new ArrayList<>(entries);
        List<Entry> after = new ArrayList<>();
        List<Runnable> news = new ArrayList<>();
        for (Entry fresh : folded()) {
            Optional<Entry> known =
                    before.stream().filter(old -> same(old, fresh)).findFirst();
            if (known.isEmpty()) {
                after.add(fresh);
                news.add(() -> listener.appeared(fresh.signal()));
                continue;
            }
            before.remove(known.get());
            Signal signal = kept(known.get().signal(), fresh.signal());
            boolean tighter = tighter(signal, known.get().told());
            after.add(new Entry(
                    signal, fresh.members(), tighter ? signal : known.get().told()));
            if (tighter) {
                news.add(() -> listener.tightened(signal));
            }
        }
        after.sort(Comparator.comparing((Entry entry) -> entry.signal().kind())
                .reversed()
                .thenComparingLong(entry -> left(entry.signal())));
        entries = List.copyOf(after);
        before.forEach(gone -> news.add(() -> listener.withdrawn(gone.signal())));
        news.forEach(Runnable::run);
    }

    private List<Entry> folded() {
        List<Entry> groups = new ArrayList<>();
        for (List<Signal> signals : reports.values()) {
            for (Signal signal : signals) {
                Entry alone = new Entry(signal, Set.of(member(signal)), signal);
                Optional<Entry> group =
                        groups.stream().filter(one -> same(one, alone)).findFirst();
                if (group.isEmpty()) {
                    groups.add(alone);
                } else {
                    groups.set(groups.indexOf(group.get()), fold(group.get(), alone));
                }
            }
        }
        return groups;
    }

    private static Entry fold(Entry a, Entry b) {
        Signal first = stronger(a.signal(), b.signal());
        OptionalLong deadline = earliest(a.signal().deadlineNs(), b.signal().deadlineNs());
        Signal signal = with(first, deadline);
        Set<String> members = new HashSet<>(a.members());
        members.addAll(b.members());
        return new Entry(signal, Set.copyOf(members), signal);
    }

    private static Signal stronger(Signal a, Signal b) {
        int kind = a.kind().compareTo(b.kind());
        return kind > 0 || (kind == 0 && a.confidence().compareTo(b.confidence()) >= 0) ? a : b;
    }

    /** A deadline that a source assumes anew at each look is the first one; one that the cloud names may move. */
    private static Signal kept(Signal known, Signal fresh) {
        return fresh.confidence() == Signal.Confidence.HIGH
                ? fresh
                : with(fresh, earliest(known.deadlineNs(), fresh.deadlineNs()));
    }

    private static boolean tighter(Signal now, Signal told) {
        if (now.kind().compareTo(told.kind()) > 0) {
            return true;
        }
        if (now.deadlineNs().isEmpty()) {
            return false;
        }
        return told.deadlineNs().isEmpty()
                || told.deadlineNs().getAsLong() - now.deadlineNs().getAsLong() > SAME_DEADLINE_NS;
    }

    private static boolean same(Entry a, Entry b) {
        if (!a.signal().instance().equals(b.signal().instance())) {
            return false;
        }
        if (a.members().stream().anyMatch(b.members()::contains)) {
            return true;
        }
        return a.signal().action().equalsIgnoreCase(b.signal().action())
                && near(a.signal().deadlineNs(), b.signal().deadlineNs());
    }

    /** A source that knows no deadline tells of the same event as one that does. */
    private static boolean near(OptionalLong a, OptionalLong b) {
        return a.isEmpty() || b.isEmpty() || Math.abs(a.getAsLong() - b.getAsLong()) <= SAME_DEADLINE_NS;
    }

    private static String member(Signal signal) {
        return signal.source() + " " + signal.eventId();
    }

    private long left(Signal signal) {
        return signal.deadlineNs().isPresent()
                ? signal.deadlineNs().getAsLong() - clocks.nanos().getAsLong()
                : Long.MAX_VALUE;
    }

    private static OptionalLong earliest(OptionalLong a, OptionalLong b) {
        if (a.isEmpty() || b.isEmpty()) {
            return a.isEmpty() ? b : a;
        }
        return a.getAsLong() - b.getAsLong() <= 0 ? a : b;
    }

    private static Signal with(Signal signal, OptionalLong deadlineNs) {
        return new Signal(
                signal.source(),
                signal.instance(),
                signal.eventId(),
                signal.kind(),
                signal.action(),
                deadlineNs,
                signal.confidence(),
                signal.detail());
    }
}
