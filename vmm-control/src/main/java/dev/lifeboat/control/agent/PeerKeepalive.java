// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/**
 * Talks to every peer and the gateway every {@value #PERIOD_MS} ms, on threads of its own: TLS
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
    /** And the next visit may take longer: with a fixed limit such a host would never be reached. */
    private static final long LONGEST_LIMIT_MS = 60_000;

    private final AgentConfig config;
    private final Peers peers;
    private final ApiClient client;
    private final Supplier<Collection<VmRun>> runs;
    private final Events events;
    private final long firstLimitMs;
    private final Map<String, Boolean> reachable = new ConcurrentHashMap<>();
    private final Map<String, Rest> rests = new ConcurrentHashMap<>();
    /** Each is visited by one thread at a time, and none waits for another that does not answer. */
    private final Set<String> underWay = ConcurrentHashMap.newKeySet();

    private final ExecutorService visits = Executors.newCachedThreadPool(visit -> {
        Thread thread = new Thread(visit, "peer-visit");
        thread.setDaemon(true);
        return thread;
    });
    private final Thread thread = new Thread(this::run, "peer-keepalive");

    PeerKeepalive(AgentConfig config, Peers peers, ApiClient client, Supplier<Collection<VmRun>> runs, Events events) {
        this(config, peers, client, runs, events, LIMIT_MS);
    }

    /** @param firstLimitMs for the first answer of a peer */
    PeerKeepalive(
            AgentConfig config,
            Peers peers,
            ApiClient client,
            Supplier<Collection<VmRun>> runs,
            Events events,
            long firstLimitMs) {
        this.firstLimitMs = firstLimitMs;
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
        visits.shutdownNow();
    }

    private void run() {
        try {
            while (true) {
                for (AgentConfig.Peer peer : peers.all()) {
                    visit(peer.host(), limitMs -> client.post(peer.url(), "/v1/plans", plans(peer), limitMs));
                }
                config.gateway()
                        .ifPresent(gateway ->
                                visit("gateway", limitMs -> client.get(gateway.url(), "/v1/health", limitMs)));
                Thread.sleep(PERIOD_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void visit(String name, LongConsumer call) {
        Rest rest = rests.getOrDefault(name, restOf(0));
        if (System.nanoTime() - rest.untilNs() < 0 || !underWay.add(name)) {
            return;
        }
        try {
            visits.execute(() -> {
                try {
                    visit(name, call, rest);
                } finally {
                    underWay.remove(name);
                }
            });
        } catch (RejectedExecutionException closing) {
            underWay.remove(name);
        }
    }

    private void visit(String name, LongConsumer call, Rest rest) {
        boolean before = reachable.getOrDefault(name, false);
        boolean known = reachable.containsKey(name);
        try {
            call.accept(rest.nextLimitMs());
            reachable.put(name, true);
            rests.remove(name);
            if (!before) {
                events.add("peer-reached", "", name);
            }
        } catch (ApiError | ControlException e) {
            reachable.put(name, false);
            rests.put(name, restOf(rest.visitsInVain() + 1));
            if (before || !known) {
                events.add("peer-lost", "", name + ": " + e.getMessage());
            }
        }
    }

    /** From one visit in vain to the next, and how long that one may take. */
    private record Rest(int visitsInVain, long untilNs, long nextLimitMs) {}

    private Rest restOf(int visitsInVain) {
        // Doubled each time; no shift so far that it overflows.
        int doublings = Math.min(visitsInVain, 20);
        long restMs = visitsInVain == 0 ? 0 : Math.min(PERIOD_MS / 2 << doublings, LONGEST_REST_MS);
        return new Rest(
                visitsInVain,
                System.nanoTime() + restMs * 1_000_000,
                Math.max(firstLimitMs, Math.min(firstLimitMs << doublings, LONGEST_LIMIT_MS)));
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
