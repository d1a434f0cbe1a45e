// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.cloud.SignalMessage;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * Tells every agent its peers and what the cloud says about its host, and the gateway its hosts, and hears from the answers how they are. On up to
 * {@value #THREADS} threads {@code host-N}; one that does not answer holds up no other.
 */
final class HostWatch implements AutoCloseable {
    private static final int THREADS = 8;
    private static final int QUEUED = 256;
    /** The first handshake with a host that is busy starting takes long; each is asked one question at a time. */
    private static final long CALL_LIMIT_MS = 20_000;
    /** As long as {@link TargetPlanner#SILENT_MS}: a peer that is silent is no peer to name. */
    private static final long SILENT_NS = TargetPlanner.SILENT_MS * 1_000_000;

    /** What an agent says. */
    interface Listener {
        void heard(String host, JsonNode health);
    }

    private final ControllerConfig config;
    private final TargetPlanner planner;
    private final ApiClient client;
    private final Events events;
    private final Listener listener;
    private final Function<String, Optional<List<SignalMessage>>> signals;
    private final Map<String, Long> answeredNs = new ConcurrentHashMap<>();
    private final Set<String> asking = ConcurrentHashMap.newKeySet();
    private final Set<String> silent = ConcurrentHashMap.newKeySet();
    private final ThreadPoolExecutor executor;

    /** @param signals all that stand for a host; empty: nothing is said about them */
    HostWatch(
            ControllerConfig config,
            TargetPlanner planner,
            ApiClient client,
            Events events,
            Listener listener,
            Function<String, Optional<List<SignalMessage>>> signals) {
        this.signals = signals;
        this.config = config;
        this.planner = planner;
        this.client = client;
        this.events = events;
        this.listener = listener;
        AtomicInteger number = new AtomicInteger();
        executor = new ThreadPoolExecutor(
                THREADS, THREADS, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUED), task -> {
                    Thread thread = new Thread(task, "host-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        executor.allowCoreThreadTimeOut(true);
    }

    /** One round; does not wait for it. */
    void round() {
        for (AgentConfig.Peer host : all()) {
            ask(host.host(), () -> {
                ObjectNode body = Json.MAPPER.createObjectNode();
                body.set("peers", json(peersOf(host.host())));
                signals.apply(host.host()).ifPresent(some -> body.set("signals", Json.MAPPER.valueToTree(some)));
                JsonNode health = client.post(host.url(), "/v1/peers", body, CALL_LIMIT_MS);
                answeredNs.put(host.host(), System.nanoTime());
                listener.heard(host.host(), health);
            });
        }
        config.gateway()
                .ifPresent(gateway -> ask("gateway", () -> {
                    ObjectNode body = Json.MAPPER.createObjectNode();
                    ArrayNode hosts = body.putArray("hosts");
                    all().forEach(host -> host.underlayAddress().ifPresent(hosts::add));
                    client.post(gateway.url(), "/v1/hosts", body, CALL_LIMIT_MS);
                }));
    }

    /** Hosts that answer, other than this one. */
    List<AgentConfig.Peer> peersOf(String name) {
        return all().stream()
                .filter(host -> !host.host().equals(name) && answers(host.host()))
                .toList();
    }

    boolean answers(String host) {
        Long at = answeredNs.get(host);
        return at != null && System.nanoTime() - at < SILENT_NS;
    }

    private List<AgentConfig.Peer> all() {
        List<AgentConfig.Peer> all = new ArrayList<>();
        for (ControllerConfig.FixedHost host : config.hosts()) {
            all.add(new AgentConfig.Peer(host.host(), host.url(), host.underlayAddress()));
        }
        for (HostRecord host : planner.allHosts()) {
            if (host.step() == HostRecord.Step.ENROLLED) {
                all.add(new AgentConfig.Peer(host.name(), host.url(), Optional.of(host.underlayAddress())));
            }
        }
        return all;
    }

    private void ask(String name, Runnable question) {
        if (!asking.add(name)) {
            return;
        }
        try {
            executor.execute(() -> {
                try {
                    question.run();
                    if (silent.remove(name)) {
                        events.add("host-answers", "", name);
                    }
                } catch (ApiError | ControlException e) {
                    if (silent.add(name)) {
                        events.add("host-silent", "", name + ": " + e.getMessage());
                    }
                } finally {
                    asking.remove(name);
                }
            });
        } catch (RejectedExecutionException full) {
            // More hosts than fit in a round: it is asked in the next.
            asking.remove(name);
        }
    }

    private static ArrayNode json(List<AgentConfig.Peer> peers) {
        ArrayNode array = Json.MAPPER.createArrayNode();
        peers.forEach(peer -> array.add(Json.MAPPER.valueToTree(peer)));
        return array;
    }

    @Override
    public void close() {
        executor.shutdownNow();
    }
}
