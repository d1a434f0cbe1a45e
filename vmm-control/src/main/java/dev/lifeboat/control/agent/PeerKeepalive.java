// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Talks to every peer and the gateway every {@value #PERIOD_MS} ms, on the thread {@code peer-keepalive}: TLS
 * connections and classes are warm when a notice comes, and each peer knows the description of the VMs it may have to
 * take, also when this host is gone without a word.
 */
final class PeerKeepalive implements AutoCloseable {
    private static final long PERIOD_MS = 2_000;
    private static final long LIMIT_MS = 10_000;
    /**
     * One that did not answer is left alone for longer and longer, up to this: each visit to a host that is busy starting is
     * a TLS handshake, and given up half-way it has only made that host slower.
     */
    private static final long LONGEST_REST_MS = 16_000;

    private final AgentConfig config;
    private final Peers peers;
    private final ApiClient client;
    private final Supplier<Collection<VmRun>> runs;
    private final Events events;
    private final Map<String, Boolean> reachable = new ConcurrentHashMap<>();
    /** Of the thread's own. */
    private final Map<String, Rest> rests = new HashMap<>();

    private final Thread thread = new Thread(this::run, "peer-keepalive");

    PeerKeepalive(AgentConfig config, Peers peers, ApiClient client, Supplier<Collection<VmRun>> runs, Events events) {
        this.config = config;
        this.peers = peers;
        this.client = client;
        this.runs = runs;
        this.events = events;
    }

    void start() {
        thread.setDaemon(true);
        thread.start();
    }

    /** Whether the peer answered last time. Any thread. */
    boolean reaches(String host) {
        return reachable.getOrDefault(host, false);
    }

    @Override
    public void close() {
        thread.interrupt();
    }

    private void run() {
        try {
            while (true) {
                for (AgentConfig.Peer peer : peers.all()) {
                    visit(peer.host(), () -> client.post(peer.url(), "/v1/plans", plans(peer), LIMIT_MS));
                }
                config.gateway()
                        .ifPresent(
                                gateway -> visit("gateway", () -> client.get(gateway.url(), "/v1/health", LIMIT_MS)));
                Thread.sleep(PERIOD_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void visit(String name, Runnable call) {
        Rest rest = rests.getOrDefault(name, Rest.NONE);
        if (System.nanoTime() - rest.untilNs() < 0) {
            return;
        }
        boolean before = reachable.getOrDefault(name, false);
        boolean known = reachable.containsKey(name);
        try {
            call.run();
            reachable.put(name, true);
            rests.remove(name);
            if (!before) {
                events.add("peer-reached", "", name);
            }
        } catch (ApiError | ControlException e) {
            reachable.put(name, false);
            rests.put(name, rest.longer());
            if (before || !known) {
                events.add("peer-lost", "", name + ": " + e.getMessage());
            }
        }
    }

    /** From one visit in vain to the next. */
    private record Rest(long millis, long untilNs) {
        static final Rest NONE = new Rest(PERIOD_MS / 2, System.nanoTime());

        Rest longer() {
            long longerMs = Math.min(2 * millis, LONGEST_REST_MS);
            return new Rest(longerMs, System.nanoTime() + longerMs * 1_000_000);
        }
    }

    private ObjectNode plans(AgentConfig.Peer peer) {
        ObjectNode plans = Json.MAPPER.createObjectNode().put("source", config.host());
        ArrayNode specs = plans.putArray("specs");
        for (VmRun run : runs.get()) {
            if (!run.isOver()) {
                specs.add(Json.MAPPER.valueToTree(run.spec()));
            }
        }
        return plans;
    }
}
