// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.volume.HostVolumes;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.util.Optional;
import java.util.Set;

/**
 * The way of one VM's volume in one evacuation: ahead of its VM to the target, back when the VM stays, or after it when it
 * was late (docs/protocol.md, "A store on a volume"). On the evacuation's thread. Whatever goes wrong is said in an event
 * and told by the result: the VM's own move never fails for its volume.
 */
final class VolumeMove {
    enum State {
        /** This host has it, as before. */
        HERE,
        /** Neither this host nor the target uses it. */
        BETWEEN,
        /** The target has it. */
        THERE
    }

    private static final Set<String> OURS = Set.of(VmRun.RUNNING, VmRun.PAUSED);
    private static final int IN_USE = 409;
    private static final long RETRY_MS = 500;
    private static final long LEAST_CALL_MS = 1_000;
    /** The source's process answers for 1.5 s after the hand-over and then closes; a busy host takes longer. */
    private static final long END_LIMIT_MS = 15_000;

    private final VmRun run;
    private final VmmConfig.Volume volume;
    private final HostVolumes volumes;
    private final ApiClient client;
    private final Events events;

    // Guarded by this.
    private State state = State.HERE;
    /** Who may have it while it is not here. */
    private Optional<AgentConfig.Peer> receiver = Optional.empty();

    private long handOverMs = -1;
    private String trouble = "";

    VolumeMove(VmRun run, VmmConfig.Volume volume, HostVolumes volumes, ApiClient client, Events events) {
        this.run = run;
        this.volume = volume;
        this.volumes = volumes;
        this.client = client;
        this.events = events;
    }

    private static final class Limit {
        private final long startNs = System.nanoTime();
        private final long limitMs;

        Limit(long limitMs) {
            this.limitMs = limitMs;
        }

        long passedMs() {
            return (System.nanoTime() - startNs) / 1_000_000;
        }

        long leftMs() {
            return limitMs - passedMs();
        }

        /** For the next step, which fails by itself when that is too little. */
        long next() {
            return Math.max(1, leftMs());
        }
    }

    synchronized State state() {
        return state;
    }

    private synchronized void enter(State entered) {
        state = entered;
    }

    synchronized ObjectNode describe() {
        ObjectNode about = Json.MAPPER.createObjectNode();
        about.put("id", volume.id()).put("state", state.name()).put("handOverMs", handOverMs);
        if (!trouble.isEmpty()) {
            about.put("message", trouble);
        }
        return about;
    }

    /**
     * Last epoch, unmount, detach; attach, check, mount at the target.
     *
     * @return false when the target does not have it: the VM moves without it
     */
    boolean goAhead(AgentConfig.Peer peer, long limitMs) throws InterruptedException {
        if (!volumes.canMove()) {
            return trouble("volume-stays", "agent.json names nobody who moves volumes (\"volumeController\")");
        }
        if (state() != State.HERE) {
            // An earlier target has it, and was asked for it in vain.
            return false;
        }
        Limit limit = new Limit(limitMs);
        synchronized (this) {
            // Before the first step: one whose answer is lost may have been done.
            state = State.BETWEEN;
            receiver = Optional.of(peer);
        }
        try {
            // The process gives up a little earlier than its caller, so that it is its answer that counts.
            long releaseMs = limit.next() * 4 / 5;
            run.call("release-store", Json.MAPPER.createObjectNode().put("limitMs", releaseMs), limit.next());
            volumes.give(volume, () -> false, limit.next());
            giveTo(peer, limit);
        } catch (ApiError | ControlException e) {
            return trouble(
                    "volume-late",
                    "after " + limit.passedMs() + " ms: " + e.getMessage() + "; the VM moves without its store");
        }
        arrived(peer, limit, "volume-handed-over");
        return true;
    }

    private void giveTo(AgentConfig.Peer peer, Limit limit) {
        ObjectNode wish = Json.MAPPER.createObjectNode().put("limitMs", limit.next());
        client.post(peer.url(), path() + "/take", wish, limit.next());
    }

    private void arrived(AgentConfig.Peer peer, Limit limit, String kind) {
        synchronized (this) {
            state = State.THERE;
            handOverMs = limit.passedMs();
            trouble = "";
        }
        events.add(kind, vmId(), volume.id() + " is on " + peer.host() + " after " + limit.passedMs() + " ms");
    }

    /** The VM stays here after all: so does its volume. False when it could not be brought back within the limit. */
    boolean comeBack(long limitMs) throws InterruptedException {
        if (state() == State.HERE) {
            return true;
        }
        Limit limit = new Limit(limitMs);
        boolean asked = false;
        while (!run.isOver()) {
            try {
                requireOurs();
                if (!asked) {
                    askBack(limit);
                    asked = true;
                }
                volumes.take(volume, false, limit.next());
                run.call("take-store", Math.max(LEAST_CALL_MS, limit.leftMs()));
                enter(State.HERE);
                events.add(
                        "volume-back",
                        vmId(),
                        volume.id() + " is here again after " + limit.passedMs() + " ms, streaming goes on");
                return true;
            } catch (ApiError | ControlException e) {
                trouble("volume-not-back", e.getMessage() + "; until it is back the VM runs without its store");
                if (limit.leftMs() <= RETRY_MS) {
                    return false;
                }
                Thread.sleep(RETRY_MS);
            }
        }
        return false;
    }

    /** While the process is still between the two hosts nobody may touch the volume: it may be the target's VM by now. */
    private void requireOurs() {
        if (!OURS.contains(run.state())) {
            throw new ControlException(ExitCode.FAILED, "the VM is " + run.state() + ", not clearly this host's");
        }
    }

    /** A target that does not give it has nothing to write: this host owns the VM. Only one that runs the VM is heard. */
    private void askBack(Limit limit) throws InterruptedException {
        if (receiver.isEmpty()) {
            return;
        }
        AgentConfig.Peer peer = receiver.get();
        ObjectNode wish = Json.MAPPER.createObjectNode();
        wish.set("volume", Json.MAPPER.valueToTree(volume));
        // Half, so that there is time left to take it from a target that hangs.
        wish.put("limitMs", limit.next() / 2);
        String why;
        try {
            client.post(peer.url(), path() + "/give", wish, Math.max(LEAST_CALL_MS, limit.next() / 2));
            return;
        } catch (ApiError e) {
            if (e.status() == IN_USE) {
                throw e;
            }
            why = e.getMessage();
        } catch (ControlException e) {
            why = e.getMessage();
        }
        volumes.detachElsewhere(volume, limit.next());
        events.add("volume-fenced", vmId(), volume.id() + " was taken from " + peer.host() + ": " + why);
    }

    /** The VM runs at the target, its volume is late: it follows. */
    void follow(AgentConfig.Peer peer, long limitMs) throws InterruptedException {
        if (state() == State.THERE || !volumes.canMove()) {
            return;
        }
        Limit limit = new Limit(limitMs);
        run.awaitEnd(Math.min(END_LIMIT_MS, limit.next()));
        while (true) {
            try {
                volumes.give(volume, () -> false, limit.next());
                if (receiver.isPresent() && !receiver.get().equals(peer)) {
                    askBack(limit);
                }
                synchronized (this) {
                    state = State.BETWEEN;
                    receiver = Optional.of(peer);
                }
                giveTo(peer, limit);
                arrived(peer, limit, "volume-followed");
                return;
            } catch (ApiError | ControlException e) {
                trouble("volume-late", e.getMessage() + "; the VM runs on " + peer.host() + " without its store");
                if (limit.leftMs() <= RETRY_MS) {
                    return;
                }
                Thread.sleep(RETRY_MS);
            }
        }
    }

    private boolean trouble(String kind, String why) {
        synchronized (this) {
            if (trouble.equals(why)) {
                return false;
            }
            trouble = why;
        }
        events.add(kind, vmId(), volume.id() + ": " + why);
        return false;
    }

    private String path() {
        return "/v1/vms/" + vmId() + "/volume";
    }

    private String vmId() {
        return run.spec().vmId();
    }
}
