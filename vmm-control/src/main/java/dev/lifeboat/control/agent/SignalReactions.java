// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.rules.Reaction;
import dev.lifeboat.control.cloud.rules.Rules;
import dev.lifeboat.control.cloud.rules.RulesFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Does what the rules say about a signal, for each VM. Thread-safe; runs on the thread that calls it. */
final class SignalReactions {
    /** When the cloud names no deadline: as long as the shortest that any cloud promises. */
    private static final long ASSUMED_MS = 30_000;
    /** A deadline that is past when we hear of it, while the host is still there, was not one. */
    private static final long LEAST_MS = 10_000;
    /** For all VMs to say how far behind their streams are; one that is silent is taken to be far behind. */
    private static final long ASK_LIMIT_MS = 500;

    private static final int ASK_THREADS = 8;
    private static final long PAGE_BYTES = 4_096;

    private final Events events;
    private final Supplier<Optional<CloudKind>> cloud;
    private final TargetWarmer warmer;
    private final StreamingRate rate;
    private final BiConsumer<VmRun, Long> evacuate;
    private final RulesFile rulesFile;

    /** @param evacuate called with the deadline in epoch milliseconds, in the order in which VMs are to leave */
    SignalReactions(
            AgentConfig config,
            Events events,
            Supplier<Optional<CloudKind>> cloud,
            TargetWarmer warmer,
            StreamingRate rate,
            BiConsumer<VmRun, Long> evacuate) {
        this.events = events;
        this.cloud = cloud;
        this.warmer = warmer;
        this.rate = rate;
        this.evacuate = evacuate;
        rulesFile = new RulesFile(
                config.rulesFile().map(Path::of),
                about -> events.add("rules-read", "", about),
                why -> events.add("rules-failed", "", why));
    }

    private record Leaving(VmRun run, int priority, long leftBytes) {}

    /** Reads the rules if they have changed, so that a mistake is told when it is made and not at the next notice. */
    void refreshRules() {
        rulesFile.current();
    }

    /** @param leftMs until the signal's deadline; empty when it has none */
    void react(Signal signal, Optional<Long> leftMs, List<VmRun> runs) {
        Rules rules = rulesFile.current();
        String reason = signal.source() + ": " + signal.action();
        List<Leaving> leaving = new ArrayList<>();
        long deadlineMillis = System.currentTimeMillis() + Math.max(LEAST_MS, leftMs.orElse(ASSUMED_MS));
        for (VmRun run : runs) {
            String vmId = run.spec().vmId();
            Rules.Decision decision = rules.decide(signal, cloud.get(), vmId);
            if (decision.includes(Reaction.IGNORE)) {
                events.add("signal-ignored", vmId, reason + ", as the rules say");
            }
            if (decision.includes(Reaction.WARM_TARGET)) {
                events.add("target-wanted", vmId, reason);
                warmer.warm(vmId, reason);
            }
            if (decision.includes(Reaction.RAISE_STREAMING_RATE)) {
                events.add("streaming-rate-wanted", vmId, reason);
                rate.raise(vmId, reason);
            }
            if (decision.includes(Reaction.EVACUATE)) {
                leaving.add(new Leaving(run, decision.priority(), 0));
            }
        }
        inOrder(leaving).forEach(one -> evacuate.accept(one.run(), deadlineMillis));
    }

    /**
     * Takes back what the rules made of a signal, where no other signal that stands asks for the same.
     *
     * @param stay called with each VM that need not leave any more
     */
    void takeBack(Signal withdrawn, List<Signal> standing, List<VmRun> runs, Consumer<String> stay) {
        Rules rules = rulesFile.current();
        for (VmRun run : runs) {
            String vmId = run.spec().vmId();
            Set<Reaction> over = EnumSet.noneOf(Reaction.class);
            Set<Reaction> left = EnumSet.noneOf(Reaction.class);
            for (Reaction reaction : Reaction.values()) {
                if (standing.stream().anyMatch(signal -> asks(rules, signal, vmId, reaction))) {
                    left.add(reaction);
                } else if (asks(rules, withdrawn, vmId, reaction)) {
                    over.add(reaction);
                }
            }
            if (over.contains(Reaction.EVACUATE)) {
                stay.accept(vmId);
            }
            boolean targetWanted = left.contains(Reaction.WARM_TARGET) || left.contains(Reaction.EVACUATE);
            if (!targetWanted && (over.contains(Reaction.WARM_TARGET) || over.contains(Reaction.EVACUATE))) {
                warmer.calm(vmId);
            }
            if (over.contains(Reaction.RAISE_STREAMING_RATE)) {
                rate.lower(vmId);
            }
        }
    }

    private boolean asks(Rules rules, Signal signal, String vmId, Reaction reaction) {
        return rules.decide(signal, cloud.get(), vmId).includes(reaction);
    }

    /**
     * By priority; among equals the one that has least left to send first: with one deadline for all and a bandwidth that is
     * shared, shortest first gets most VMs away in time. Equal again: the smaller one, whose target is filled sooner.
     */
    private static List<Leaving> inOrder(List<Leaving> leaving) {
        if (leaving.size() < 2) {
            return leaving;
        }
        askAll(leaving);
        return leaving.stream()
                .map(one -> new Leaving(one.run(), one.priority(), leftBytes(one.run())))
                .sorted(Comparator.comparingInt((Leaving one) -> -one.priority())
                        .thenComparingLong(Leaving::leftBytes)
                        .thenComparingInt(one -> one.run().spec().memoryMiB())
                        .thenComparing(one -> one.run().spec().vmId()))
                .toList();
    }

    private static void askAll(List<Leaving> leaving) {
        ExecutorService threads = Executors.newFixedThreadPool(Math.min(ASK_THREADS, leaving.size()), action -> {
            Thread thread = new Thread(action, "signal-ask");
            thread.setDaemon(true);
            return thread;
        });
        try {
            for (var asked : threads.invokeAll(
                    leaving.stream()
                            .map(one -> Executors.callable(() -> one.run().askStatus(ASK_LIMIT_MS)))
                            .toList(),
                    ASK_LIMIT_MS,
                    TimeUnit.MILLISECONDS)) {
                if (!asked.isCancelled()) {
                    asked.get();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } finally {
            threads.shutdownNow();
        }
    }

    private static long leftBytes(VmRun run) {
        JsonNode pages = run.lastStatus().map(status -> status.path("lagPages")).orElse(null);
        return pages != null && pages.isNumber()
                ? pages.asLong() * PAGE_BYTES
                : (long) run.spec().memoryMiB() << 20;
    }
}
