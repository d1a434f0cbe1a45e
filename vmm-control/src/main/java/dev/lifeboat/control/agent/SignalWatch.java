// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProbe;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalBoard;
import dev.lifeboat.control.cloud.SignalMessage;
import dev.lifeboat.control.cloud.aws.AwsSources;
import dev.lifeboat.control.cloud.azure.AzureSources;
import dev.lifeboat.control.cloud.google.GoogleSources;
import dev.lifeboat.control.cloud.host.ShutdownSource;
import dev.lifeboat.vmm.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Listens to all that tells of this host's end for as long as the agent lives. Threads: {@code signal-NAME} for each source,
 * {@code signal-reactions} for what follows, {@code signal-probe} until the cloud is known; all are daemons.
 */
final class SignalWatch implements AutoCloseable {
    /** A source that reports in the name of this host's controller. */
    private static final String CONTROLLER = "controller";
    /** More changes than all sources of a host can have within the second that a reaction may take. */
    private static final int MAX_WAITING = 256;

    private static final long PROBE_AGAIN_MS = 60_000;

    private final AgentConfig config;
    private final Events events;
    private final Clocks clocks = Clocks.SYSTEM;
    private final BooleanSupplier hostIsEmpty;
    private final Consumer<Signal> onSignal;
    private final Consumer<Signal> onWithdrawn;
    private final SignalBoard board;
    private final BlockingQueue<Runnable> waiting = new ArrayBlockingQueue<>(MAX_WAITING);
    private final List<Thread> threads = new ArrayList<>();
    private volatile Optional<CloudKind> cloud;

    /**
     * @param hostIsEmpty whether every VM has left
     * @param onSignal called for a signal that is new or more urgent than before, on {@code signal-reactions}
     */
    SignalWatch(
            AgentConfig config,
            Events events,
            BooleanSupplier hostIsEmpty,
            Consumer<Signal> onSignal,
            Consumer<Signal> onWithdrawn) {
        this.config = config;
        this.events = events;
        this.hostIsEmpty = hostIsEmpty;
        this.onSignal = onSignal;
        this.onWithdrawn = onWithdrawn;
        cloud = config.namedCloud();
        board = new SignalBoard(clocks, new Teller());
    }

    void start() {
        begin("reactions", this::reactions);
        if (config.listensToNoCloud()) {
            return;
        }
        if (cloud.isPresent()) {
            sourcesOf(cloud.get()).forEach(this::watch);
        } else {
            begin("probe", this::probe);
        }
        Optional<String> missing = ShutdownSource.unavailabilityCause();
        if (missing.isEmpty()) {
            watch(new ShutdownSource(clocks, hostIsEmpty));
        } else {
            events.add("shutdown-not-held", "", "a shutdown of this host is not held back: " + missing.get());
        }
    }

    Optional<CloudKind> cloud() {
        return cloud;
    }

    /** The most urgent announcement that this host goes away. */
    Optional<Signal> notice() {
        return board.notice();
    }

    List<Signal> standing() {
        return board.standing();
    }

    Optional<Long> leftMillis(Signal signal) {
        return signal.deadlineNs().isPresent()
                ? Optional.of(clocks.leftMillis(signal.deadlineNs().getAsLong()))
                : Optional.empty();
    }

    /** Everything that a controller knows to stand for this host. */
    void controller(List<SignalMessage> messages) {
        board.standing(
                CONTROLLER,
                messages.stream()
                        .map(message -> message.toSignal(CONTROLLER, "", clocks))
                        .toList());
    }

    ObjectNode describe(Signal signal) {
        ObjectNode about = Json.MAPPER.createObjectNode();
        about.put("source", signal.source())
                .put("kind", signal.kind().name())
                .put("action", signal.action())
                .put("confidence", signal.confidence().name())
                .put("detail", signal.detail());
        leftMillis(signal).ifPresent(left -> about.put("deadlineMillis", System.currentTimeMillis() + left));
        return about;
    }

    @Override
    public void close() {
        synchronized (threads) {
            threads.forEach(Thread::interrupt);
        }
    }

    private interface Work {
        void run() throws InterruptedException;
    }

    private void begin(String name, Work work) {
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                },
                "signal-" + name);
        thread.setDaemon(true);
        synchronized (threads) {
            threads.add(thread);
        }
        thread.start();
    }

    private void watch(PreemptionSource source) {
        begin(source.name(), () -> source.watch(board));
    }

    private void probe() throws InterruptedException {
        boolean told = false;
        while (true) {
            Optional<CloudKind> found = CloudProbe.recognise(config.metadataUrl());
            if (found.isPresent()) {
                cloud = found;
                events.add(
                        "cloud-recognised", "", "this host is of " + found.get().word());
                sourcesOf(found.get()).forEach(this::watch);
                return;
            }
            if (!told) {
                told = true;
                events.add(
                        "cloud-unknown",
                        "",
                        "no cloud's metadata service answers at " + config.metadataUrl()
                                + ", so that no notice can be heard; name the \"cloud\" in agent.json, or \"none\"");
            }
            Thread.sleep(PROBE_AGAIN_MS);
        }
    }

    private List<PreemptionSource> sourcesOf(CloudKind kind) {
        String url = config.metadataUrl();
        long pollMs = config.imdsPollMillis().orElse(AgentConfig.DEFAULT_IMDS_POLL_MILLIS);
        return switch (kind) {
            case AWS -> AwsSources.all(url, clocks, pollMs);
            case AZURE -> AzureSources.all(url, clocks, pollMs, config.metadataOptions(), hostIsEmpty);
            case GOOGLE -> GoogleSources.all(url, clocks, config.metadataOptions());
        };
    }

    private void reactions() throws InterruptedException {
        while (true) {
            Runnable reaction = waiting.take();
            try {
                reaction.run();
            } catch (RuntimeException e) {
                events.add("signal-failed", "", "unexpected: " + e);
            }
        }
    }

    private void later(Runnable reaction) {
        try {
            if (!waiting.offer(reaction, 1, TimeUnit.SECONDS)) {
                events.add("signal-failed", "", MAX_WAITING + " reactions wait already; this one is dropped");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Writes the time line, and passes on what needs a reaction. */
    private final class Teller implements SignalBoard.Listener {
        @Override
        public void appeared(Signal signal) {
            if (signal.kind() == Signal.Kind.HINT) {
                events.add("hint", "", "this host may go away: " + signal.action() + ", " + tail(signal));
            } else {
                events.add(
                        "notice",
                        "",
                        "the cloud will " + signal.action() + " this host"
                                + leftMillis(signal)
                                        .map(left -> " in " + left + " ms")
                                        .orElse(" at a time it does not name")
                                + "; " + tail(signal));
            }
            later(() -> onSignal.accept(signal));
        }

        @Override
        public void tightened(Signal signal) {
            appeared(signal);
        }

        @Override
        public void withdrawn(Signal signal) {
            boolean hint = signal.kind() == Signal.Kind.HINT;
            events.add(
                    hint ? "hint-withdrawn" : "notice-withdrawn",
                    "",
                    "the cloud took " + signal.action() + " back; moves under way go on");
            later(() -> onWithdrawn.accept(signal));
        }

        @Override
        public void failing(String source, String why) {
            events.add("spot-watch-failed", "", source + " cannot look (" + why + "); a notice would be missed");
        }

        @Override
        public void recovered(String source) {
            events.add("spot-watch-recovered", "", source + " looks again");
        }

        private String tail(Signal signal) {
            return signal.source() + (signal.detail().isEmpty() ? "" : ": " + signal.detail());
        }
    }
}
