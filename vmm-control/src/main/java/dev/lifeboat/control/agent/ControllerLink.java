// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * What this host says to the controller, if there is one: which VMs need a target planned ahead, which need one now, which
 * have arrived. On the thread {@code controller-link}; {@link #need} on the caller's. A controller that is away is an event,
 * once, and nothing waits for it.
 */
final class ControllerLink implements TargetWarmer, AutoCloseable {
    private static final long PERIOD_MS = 10_000;
    private static final long LIMIT_MS = 5_000;
    /** One job a VM, and then some. */
    private static final int QUEUED = 256;

    private final AgentConfig config;
    private final ApiClient client;
    private final Supplier<Collection<VmRun>> runs;
    private final Function<String, Optional<VmSpec>> specs;
    private final Events events;
    private final Map<String, String> planned = new ConcurrentHashMap<>();
    private final ScheduledThreadPoolExecutor thread;
    private volatile boolean lost;

    /** @param specs of VMs that run here */
    ControllerLink(
            AgentConfig config,
            ApiClient client,
            Supplier<Collection<VmRun>> runs,
            Function<String, Optional<VmSpec>> specs,
            Events events) {
        this.config = config;
        this.client = client;
        this.runs = runs;
        this.specs = specs;
        this.events = events;
        thread = new ScheduledThreadPoolExecutor(1, task -> {
            Thread made = new Thread(task, "controller-link");
            made.setDaemon(true);
            return made;
        });
    }

    void start() {
        if (isThere()) {
            thread.scheduleWithFixedDelay(this::planAll, 0, PERIOD_MS, TimeUnit.MILLISECONDS);
        }
    }

    boolean isThere() {
        return config.controller().isPresent();
    }

    /** The host that the controller has ready for a VM, as far as it was heard. */
    Optional<String> planned(String vmId) {
        return Optional.ofNullable(planned.get(vmId));
    }

    @Override
    public void warm(String vmId, String reason) {
        later(() -> specs.apply(vmId).ifPresent(spec -> ask(spec, Optional.empty(), reason, true, Set.of())));
    }

    /**
     * Asks for a target now. May be asked again and again: the controller goes on where it is.
     *
     * @param avoid hosts that did not take the VM
     * @return the target once it is ready
     */
    Optional<AgentConfig.Peer> need(VmSpec spec, long deadlineMillis, Set<String> avoid) {
        return isThere() ? ask(spec, Optional.of(deadlineMillis), "evacuation", false, avoid) : Optional.empty();
    }

    @Override
    public void calm(String vmId) {
        later(() -> call(() -> client.delete(url(), "/v1/targets/" + vmId, LIMIT_MS)));
    }

    /** The VM runs here now, after its last host has given it up. */
    void arrived(String vmId, long term) {
        later(() -> call(() -> client.post(
                url(),
                "/v1/arrivals",
                Json.MAPPER
                        .createObjectNode()
                        .put("vmId", vmId)
                        .put("host", config.host())
                        .put("term", term),
                LIMIT_MS)));
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }

    private void planAll() {
        planned.keySet().removeIf(vmId -> specs.apply(vmId).isEmpty());
        for (VmRun run : runs.get()) {
            if (run.state().equals(VmRun.RUNNING) || run.state().equals(VmRun.PAUSED)) {
                ask(run.spec(), Optional.empty(), "", false, Set.of());
            }
        }
    }

    private Optional<AgentConfig.Peer> ask(
            VmSpec spec, Optional<Long> deadlineMillis, String reason, boolean warm, Set<String> avoid) {
        ObjectNode wish = Json.MAPPER.createObjectNode();
        wish.put("host", config.host())
                .put("memoryMiB", spec.memoryMiB())
                .put("vcpus", spec.vcpus())
                .put("cpuProfile", spec.cpuProfile())
                .put("reason", reason)
                .put("warm", warm)
                .put("atRisk", false);
        spec.store().flatMap(VmmConfig.Store::volume).ifPresent(volume -> wish.put("volume", volume.id()));
        deadlineMillis.ifPresent(at -> wish.put("deadlineMillis", at));
        avoid.forEach(wish.putArray("avoid")::add);
        Optional<JsonNode> answer = call(() -> client.post(url(), "/v1/targets/" + spec.vmId(), wish, LIMIT_MS));
        if (answer.isEmpty() || !answer.get().path("state").asText().equals("READY")) {
            planned.remove(spec.vmId());
            return Optional.empty();
        }
        JsonNode target = answer.get();
        planned.put(spec.vmId(), target.path("host").asText());
        return Optional.of(new AgentConfig.Peer(
                target.path("host").asText(),
                target.path("url").asText(),
                Optional.of(target.path("underlayAddress").asText()).filter(address -> !address.isEmpty())));
    }

    private String url() {
        return config.controller().orElseThrow();
    }

    private void later(Runnable job) {
        if (!isThere() || thread.getQueue().size() > QUEUED) {
            return;
        }
        try {
            thread.execute(job);
        } catch (RejectedExecutionException closing) {
            // The agent ends; its next start says all of this again.
        }
    }

    private Optional<JsonNode> call(Supplier<JsonNode> question) {
        try {
            JsonNode answer = question.get();
            if (lost) {
                lost = false;
                events.add("controller-reached", "", url());
            }
            return Optional.of(answer);
        } catch (ApiError | ControlException e) {
            if (!lost) {
                lost = true;
                events.add("controller-lost", "", e.getMessage());
            }
            return Optional.empty();
        }
    }
}
