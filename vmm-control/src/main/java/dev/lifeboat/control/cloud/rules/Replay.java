// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalBoard;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** What rules would have done about a trace: through the same board as in an agent, on the trace's clock. One thread. */
public final class Replay {
    /**
     * @param what {@code appeared}, {@code tightened} or {@code withdrawn}
     * @param leftMs until the deadline that the cloud named or that was assumed
     */
    public record Decision(
            long atMs,
            String cloud,
            String host,
            String what,
            Signal.Kind kind,
            String action,
            OptionalLong leftMs,
            Set<Reaction> reactions) {}

    /**
     * @param hosts in the trace
     * @param gone of these, taken away
     * @param evacuatedAndGone rightly evacuated
     * @param evacuatedForNothing evacuated, and still there at the end of the trace
     * @param goneUnheard taken away without any evacuation
     * @param warmedForNothing hosts for which a target was made ready that never went
     * @param leastWarningMs the shortest time from the evacuation's start to the host's end; -1 without any
     */
    public record Summary(
            int hosts,
            int gone,
            int evacuatedAndGone,
            int evacuatedForNothing,
            int goneUnheard,
            int warmedForNothing,
            long leastWarningMs) {}

    public record Result(List<Decision> decisions, Summary summary) {}

    private static final class Host {
        private final SignalBoard board;
        private OptionalLong evacuatedAtMs = OptionalLong.empty();
        private OptionalLong goneAtMs = OptionalLong.empty();
        private boolean warmed;

        Host(Clocks clocks, SignalBoard.Listener listener) {
            board = new SignalBoard(clocks, listener);
        }
    }

    private final Rules rules;
    private final String vmId;
    private final List<Decision> decisions = new ArrayList<>();
    private final Map<String, Host> hosts = new LinkedHashMap<>();
    private final Clocks clocks = new Clocks(this::nowMs, () -> TimeUnit.MILLISECONDS.toNanos(nowMs()));
    private long nowMs;

    /** @param vmId that rules for single VMs are tried with */
    public Replay(Rules rules, String vmId) {
        this.rules = rules;
        this.vmId = vmId;
    }

    private long nowMs() {
        return nowMs;
    }

    public Result run(Trace trace) {
        for (Trace.Entry entry : trace.entries()) {
            nowMs = entry.atMs();
            Host host =
                    hosts.computeIfAbsent(entry.host(), name -> new Host(clocks, new Recorder(entry.cloud(), name)));
            if (entry.gone()) {
                host.goneAtMs = OptionalLong.of(nowMs);
            } else {
                host.board.standing(
                        entry.source(),
                        entry.signals().stream()
                                .map(message -> message.toSignal(entry.source(), "", clocks))
                                .toList());
            }
        }
        return new Result(List.copyOf(decisions), summary());
    }

    private Summary summary() {
        int gone = 0;
        int right = 0;
        int forNothing = 0;
        int unheard = 0;
        int warmedForNothing = 0;
        long least = -1;
        for (Host host : hosts.values()) {
            boolean left = host.evacuatedAtMs.isPresent();
            if (host.goneAtMs.isPresent()) {
                gone++;
                if (left) {
                    right++;
                    long warning = host.goneAtMs.getAsLong() - host.evacuatedAtMs.getAsLong();
                    least = least < 0 ? warning : Math.min(least, warning);
                } else {
                    unheard++;
                }
            } else {
                forNothing += left ? 1 : 0;
                warmedForNothing += host.warmed ? 1 : 0;
            }
        }
        return new Summary(hosts.size(), gone, right, forNothing, unheard, warmedForNothing, least);
    }

    /** One host's ear. */
    private final class Recorder implements SignalBoard.Listener {
        private final String cloud;
        private final String name;

        Recorder(String cloud, String name) {
            this.cloud = cloud;
            this.name = name;
        }

        @Override
        public void appeared(Signal signal) {
            react("appeared", signal);
        }

        @Override
        public void tightened(Signal signal) {
            react("tightened", signal);
        }

        @Override
        public void withdrawn(Signal signal) {
            record("withdrawn", signal, Set.of());
        }

        @Override
        public void failing(String source, String why) {
            throw new IllegalStateException("a trace has no failures");
        }

        @Override
        public void recovered(String source) {
            throw new IllegalStateException("a trace has no failures");
        }

        private void react(String what, Signal signal) {
            Set<Reaction> reactions =
                    rules.decide(signal, CloudKind.of(cloud), vmId).reactions();
            record(what, signal, reactions);
            Host host = hosts.get(name);
            if (reactions.contains(Reaction.EVACUATE) && host.evacuatedAtMs.isEmpty()) {
                host.evacuatedAtMs = OptionalLong.of(nowMs);
            }
            host.warmed |= reactions.contains(Reaction.WARM_TARGET);
        }

        private void record(String what, Signal signal, Set<Reaction> reactions) {
            OptionalLong left = signal.deadlineNs().isPresent()
                    ? OptionalLong.of(clocks.leftMillis(signal.deadlineNs().getAsLong()))
                    : OptionalLong.empty();
            decisions.add(new Decision(nowMs, cloud, name, what, signal.kind(), signal.action(), left, reactions));
        }
    }
}
