// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import java.util.List;
import java.util.Optional;

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

    /** A JVM's start on a slow target, and its first connections. */
    private static final long PREPARE_LIMIT_MS = 90_000;
    /** Less than this before the deadline, another attempt is not begun: it takes as long to connect and agree. */
    static final long LEAST_ATTEMPT_MS = 1_000;
    /** Between two rounds over all targets. */
    private static final long BREATH_MS = 1_000;

    private static final long ABORT_LIMIT_MS = 5_000;

    private final VmRun run;
    private final List<AgentConfig.Peer> targets;
    private final boolean untilDeadline;
    private volatile long deadlineMillis;
    private final long askedNs = System.nanoTime();
    private final long askedAtMillis = System.currentTimeMillis();
    private final ApiClient client;
    private final Events events;
    private final String host;
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
     * @param targets in the order to try
     * @param untilDeadline whether to go over the targets again and again while there is time
     * @param onTurnOver called once, when it is over or has tried each target: what others wait for, they get
     */
    Evacuation(
            VmRun run,
            List<AgentConfig.Peer> targets,
            boolean untilDeadline,
            long deadlineMillis,
            ApiClient client,
            Events events,
            String host,
            Runnable onTurnOver) {
        this.run = run;
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
        return about;
    }

    private void evacuate() {
        boolean turnOver = false;
        events.add(
                "evacuation-started",
                vmId(),
                "to " + targets.stream().map(AgentConfig.Peer::host).toList() + ", " + leftMs() + " ms left");
        try {
            do {
                for (AgentConfig.Peer peer : targets) {
                    if (leftMs() < LEAST_ATTEMPT_MS || attempt(peer)) {
                        break;
                    }
                }
                if (isOver() || !untilDeadline) {
                    break;
                }
                if (!turnOver) {
                    turnOver = true;
                    onTurnOver.run();
                }
                Thread.sleep(BREATH_MS);
            } while (leftMs() >= LEAST_ATTEMPT_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            fail("the agent is shutting down");
        } catch (RuntimeException e) {
            fail("unexpected: " + e);
        }
        if (!isOver()) {
            fail(message.isEmpty() ? "no time left before the deadline" : message);
        }
        if (!turnOver) {
            onTurnOver.run();
        }
    }

    /** True when nothing more is to be tried. */
    private boolean attempt(AgentConfig.Peer peer) {
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
            prepared = client.post(
                    peer.url(), "/v1/vms/" + vmId() + "/prepare", wish, Math.min(leftMs(), PREPARE_LIMIT_MS));
        } catch (ApiError | ControlException e) {
            return attemptFailed(peer, "cannot prepare: " + e.getMessage());
        }
        synchronized (this) {
            preparedMs = elapsedMs();
            state = State.MOVING;
        }
        events.add("evacuation-prepared", vmId(), peer.host() + " is ready to receive after " + preparedMs + " ms");
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

    private boolean attemptFailed(AgentConfig.Peer peer, String reason) {
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
        }
        return gone;
    }

    private void done(AgentConfig.Peer peer, Optional<JsonNode> result) {
        synchronized (this) {
            switched();
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

    private String vmId() {
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
