// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Moves one VM off this host, on its thread {@code evacuate-ID}: a target prepares, the local {@code vmm} moves, and when
 * that fails and there is time, the next target is tried. Whatever fails before the ownership changes, the VM runs on
 * here (I4); nothing starts that cannot end before the deadline (I7).
 */
final class Evacuation {
    enum State {
        /** For its turn: as many as may move at once are moving. */
        WAITING,
        PREPARING,
        MOVING,
        DONE,
        FAILED
    }

    /** Less than this before the deadline, another attempt is not begun: it takes as long to connect and agree. */
    static final long LEAST_ATTEMPT_MS = 1_000;
    /** Between two rounds over all targets. */
    private static final long BREATH_MS = 1_000;

    private static final long ABORT_LIMIT_MS = 5_000;
    /** And a quarter of the time that is left at most: there may be another target. */
    private static final long KNOCK_LIMIT_MS = 15_000;
    /**
     * For a volume to go ahead: what is longer than any cloud takes in good order. And at most half of the time left, because
     * without the store all pages of the VM are still to be sent.
     */
    private static final long VOLUME_LIMIT_MS = 60_000;
    /** A cloud needs some seconds for each step; with less time nothing is begun, and the VM moves without its store. */
    private static final long LEAST_VOLUME_MS = 4_000;
    /** Once there is nothing more to try, for a volume to come back: the VM is not protected before. */
    private static final long VOLUME_BACK_LIMIT_MS = 120_000;

    /** Where the VM can go, as known at the moment. */
    interface Targets {
        /**
         * In the order to try; empty when there are none now. May ask a controller, which may buy one.
         *
         * @param failed hosts that did not take the VM
         */
        List<AgentConfig.Peer> now(Set<String> failed);

        /** Whether one may come that is not there yet. */
        boolean mayCome();

        static Targets only(AgentConfig.Peer peer) {
            return new Targets() {
                @Override
                public List<AgentConfig.Peer> now(Set<String> failed) {
                    return List.of(peer);
                }

                @Override
                public boolean mayCome() {
                    return false;
                }
            };
        }
    }

    private final VmRun run;
    private final Targets targets;
    private final Path hookLogs;
    private final Set<String> failedHosts = new LinkedHashSet<>();
    private final boolean untilDeadline;
    private volatile long deadlineMillis;
    private final long askedNs = System.nanoTime();
    private final long askedAtMillis = System.currentTimeMillis();
    private final ApiClient client;
    private final Events events;
    private final String host;
    private final Optional<VolumeMove> volume;
    private final Runnable onTurnOver;

    // Guarded by this.
    private State state = State.WAITING;
    private String target = "";
    private int attempts;
    private String message = "";
    private long preparedMs = -1;
    private long switchMs = -1;
    private long sourceFreeMs = -1;
    private Optional<JsonNode> report = Optional.empty();

    /**
     * @param untilDeadline whether to go over the targets again and again while there is time
     * @param volume of the VM's store, if that is on one
     * @param onTurnOver called once, when it is over or has tried each target: what others wait for, they get
     */
    Evacuation(
            VmRun run,
            Targets targets,
            boolean untilDeadline,
            long deadlineMillis,
            ApiClient client,
            Events events,
            String host,
            Path hookLogs,
            Optional<VolumeMove> volume,
            Runnable onTurnOver) {
        this.volume = volume;
        this.run = run;
        this.hookLogs = hookLogs;
        this.targets = targets;
        this.untilDeadline = untilDeadline;
        this.deadlineMillis = deadlineMillis;
        this.client = client;
        this.events = events;
        this.host = host;
        this.onTurnOver = onTurnOver;
    }

    void start() {
        Thread thread = new Thread(this::evacuate, "evacuate-" + vmId());
        thread.setDaemon(true);
        thread.start();
    }

    /** The deadline has moved closer. What the vmm has begun it ends; nothing is begun that the new one forbids. */
    synchronized void tighten(long earlierMillis) {
        if (!isOver() && earlierMillis < deadlineMillis - LEAST_ATTEMPT_MS) {
            deadlineMillis = earlierMillis;
            events.add("evacuation-deadline-moved", vmId(), leftMs() + " ms left");
        }
    }

    /** Before its turn: there is no reason to move any more. */
    synchronized void cancel(String why) {
        if (state == State.WAITING) {
            state = State.FAILED;
            message = why;
            events.add("evacuation-cancelled", vmId(), why);
        }
    }

    boolean hasTime() {
        return leftMs() >= LEAST_ATTEMPT_MS;
    }

    /** Its turn came too late. */
    synchronized void leaveBehind() {
        if (state == State.WAITING) {
            fail("no time left before the deadline when its turn came");
        }
    }

    synchronized boolean isOver() {
        return state == State.DONE || state == State.FAILED;
    }

    boolean isOf(VmRun other) {
        return run == other;
    }

    /** For a state event of the local vmm: the moment of the switch as this host sees it. */
    synchronized void onLocalState(String vmState) {
        if (vmState.equals(VmRun.HANDED_OVER)) {
            switched();
        }
    }

    /** Once, whichever is heard first: the vmm's event or the end of its command. */
    private synchronized void switched() {
        if (switchMs < 0) {
            switchMs = elapsedMs();
            events.add("evacuation-switched", vmId(), "handed over to " + target + " after " + switchMs + " ms");
        }
    }

    synchronized ObjectNode describe() {
        ObjectNode about = Json.MAPPER.createObjectNode();
        about.put("vmId", vmId()).put("state", state.name()).put("source", host).put("target", target);
        about.put("attempts", attempts).put("askedAtMillis", askedAtMillis).put("deadlineMillis", deadlineMillis);
        about.put("preparedMs", preparedMs).put("noticeToSwitchMs", switchMs).put("noticeToSourceFreeMs", sourceFreeMs);
        if (!message.isEmpty()) {
            about.put("message", message);
        }
        if (state == State.FAILED && untilDeadline) {
            about.put("leftBehind", lastEpoch());
        }
        report.ifPresent(r -> about.set("report", r));
        volume.ifPresent(moves -> about.set("volume", moves.describe()));
        return about;
    }

    private void evacuate() {
        boolean turnOver = false;
        try {
            List<AgentConfig.Peer> round = targets.now(Set.of());
            events.add(
                    "evacuation-started",
                    vmId(),
                    "to " + round.stream().map(AgentConfig.Peer::host).toList() + ", " + leftMs() + " ms left");
            beforeMove(round);
            boolean waited = false;
            while (true) {
                for (AgentConfig.Peer peer : round) {
                    if (leftMs() < LEAST_ATTEMPT_MS || attempt(peer)) {
                        break;
                    }
                    failedHosts.add(peer.host());
                }
                boolean comes = targets.mayCome();
                if (comes && round.isEmpty() && !waited) {
                    waited = true;
                    events.add("evacuation-waits", vmId(), "for a target; the VM runs on here");
                }
                if (isOver() || !(untilDeadline || comes) || leftMs() < LEAST_ATTEMPT_MS) {
                    break;
                }
                if (!turnOver) {
                    turnOver = true;
                    onTurnOver.run();
                }
                Thread.sleep(BREATH_MS);
                round = targets.now(failedHosts);
            }
            if (!isOver() && volume.isPresent()) {
                volume.get().comeBack(VOLUME_BACK_LIMIT_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            fail("the agent is shutting down");
        } catch (RuntimeException e) {
            fail("unexpected: " + e);
        }
        if (!isOver()) {
            fail(message.isEmpty() ? "no target before the deadline" : message);
        }
        if (!turnOver) {
            onTurnOver.run();
        }
    }

    /** Told when it fails, and no more: to lose the VM would be worse. A quarter of the time at most. */
    private void beforeMove(List<AgentConfig.Peer> round) throws InterruptedException {
        Optional<VmHooks.Hook> hook = run.spec().hooks().beforeMove();
        if (hook.isPresent()) {
            String first = round.isEmpty() ? "" : round.get(0).host();
            HookRun.run("beforeMove", hook.get(), vmId(), host, first, leftMs() / 4, hookLogs)
                    .ifPresent(why -> events.add("hook-failed", vmId(), why + "; the evacuation goes on"));
        }
    }

    /** True when nothing more is to be tried. */
    private boolean attempt(AgentConfig.Peer peer) throws InterruptedException {
        synchronized (this) {
            attempts++;
            target = peer.host();
            state = State.PREPARING;
        }
        JsonNode prepared;
        try {
            ObjectNode wish = Json.MAPPER.createObjectNode();
            wish.set("spec", Json.MAPPER.valueToTree(run.spec()));
            wish.put("source", host).put("deadlineMillis", deadlineMillis);
            // To prepare takes long, also on a host that lives: whether it does is found out first.
            client.get(peer.url(), "/v1/health", Math.min(leftMs() / 4, KNOCK_LIMIT_MS));
            prepared = client.post(
                    peer.url(),
                    "/v1/vms/" + vmId() + "/prepare",
                    wish,
                    Math.min(leftMs(), Agent.receivingLimitMs(leftMs())));
        } catch (ApiError | ControlException e) {
            return attemptFailed(peer, "cannot prepare: " + e.getMessage());
        }
        synchronized (this) {
            preparedMs = elapsedMs();
            state = State.MOVING;
        }
        events.add("evacuation-prepared", vmId(), peer.host() + " is ready to receive after " + preparedMs + " ms");
        volumeAhead(peer);
        try {
            ObjectNode order = Json.MAPPER.createObjectNode();
            order.put("target", peer.host());
            order.set("address", prepared.get("address"));
            order.set("port", prepared.get("port"));
            order.put("deadlineMillis", deadlineMillis);
            // The vmm plans against the deadline itself; a little longer here, so that it is its answer that counts.
            JsonNode result = run.call("evacuate", order, leftMs() + 10_000);
            done(peer, Optional.of(result));
            return true;
        } catch (ControlException e) {
            if (run.state().equals(VmRun.HANDED_OVER)) {
                // The answer was lost, the ownership was not.
                done(peer, Optional.empty());
                return true;
            }
            return attemptFailed(
                    peer,
                    e.getMessage() + "; the receiver's log on " + peer.host() + ": "
                            + prepared.path("log").asText("unknown"));
        }
    }

    private void volumeAhead(AgentConfig.Peer peer) throws InterruptedException {
        long limitMs = Math.min(VOLUME_LIMIT_MS, leftMs() / 2);
        if (volume.isPresent() && limitMs >= LEAST_VOLUME_MS) {
            volume.get().goAhead(peer, limitMs);
        }
    }

    /** Less than the time until the deadline, so that another attempt can follow. */
    private void volumeBack() throws InterruptedException {
        if (volume.isPresent()) {
            volume.get().comeBack(Math.max(LEAST_VOLUME_MS, Math.min(VOLUME_LIMIT_MS, leftMs() / 4)));
        }
    }

    private boolean attemptFailed(AgentConfig.Peer peer, String reason) throws InterruptedException {
        try {
            client.delete(peer.url(), "/v1/vms/" + vmId() + "?onlyReceiving=true", ABORT_LIMIT_MS);
        } catch (ApiError | ControlException e) {
            // It may be the very reason of the failure; its agent ends receivers that outlive their deadline.
            events.add("evacuation-abort-unheard", vmId(), peer.host() + ": " + e.getMessage());
        }
        synchronized (this) {
            message = "evacuation to " + peer.host() + " failed: " + reason;
        }
        boolean gone = run.ended();
        events.add(
                "evacuation-attempt-failed",
                vmId(),
                message + (gone ? "" : "; the VM runs on here, " + leftMs() + " ms left"));
        if (gone) {
            fail(message + "; the vmm has ended: " + run.endedBecause());
        } else {
            volumeBack();
        }
        return gone;
    }

    private void done(AgentConfig.Peer peer, Optional<JsonNode> result) throws InterruptedException {
        switched();
        if (volume.isPresent()) {
            volume.get().follow(peer, Math.max(LEAST_VOLUME_MS, Math.min(VOLUME_BACK_LIMIT_MS, leftMs())));
        }
        synchronized (this) {
            sourceFreeMs = elapsedMs();
            events.add(
                    "evacuation-done",
                    vmId(),
                    "runs on " + peer.host() + "; this host is free after " + sourceFreeMs + " ms");
            state = State.DONE;
            message = "";
            report = result;
        }
    }

    private void fail(String reason) {
        synchronized (this) {
            state = State.FAILED;
            message = reason;
        }
        events.add("evacuation-failed", vmId(), reason);
        if (untilDeadline) {
            events.add("evacuation-left-behind", vmId(), lastEpoch());
        }
    }

    /** What is left of a VM whose host goes away with it. */
    private String lastEpoch() {
        JsonNode status = run.lastStatus().orElse(Json.MAPPER.createObjectNode());
        return status.hasNonNull("epoch")
                ? "its last epoch known here is " + status.get("epoch").asLong()
                        + "; when this host is gone: lifeboat restore " + vmId()
                : "no epoch of it is known here";
    }

    String vmId() {
        return run.spec().vmId();
    }

    private long elapsedMs() {
        return (System.nanoTime() - askedNs) / 1_000_000;
    }

    /** Until the deadline, by the monotonic clock since the wish was heard: a clock set meanwhile changes nothing. */
    private long leftMs() {
        return deadlineMillis - askedAtMillis - elapsedMs();
    }
}
