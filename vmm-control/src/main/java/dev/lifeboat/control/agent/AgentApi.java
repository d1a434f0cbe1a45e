// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.SignalMessage;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.ApiServer;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** The agent's HTTPS API (docs/operations.md). Handlers run on the server's threads {@code api-N}. */
final class AgentApi implements AutoCloseable {
    private static final long COMMAND_LIMIT_MS = 30_000;

    private final Agent agent;
    private final ApiServer server;

    AgentApi(Agent agent, String listen, FleetTls tls) {
        this.agent = agent;
        server = new ApiServer(listen, tls)
                .route("GET", "/v1/health", request -> agent.health())
                .route("GET", "/v1/events", this::events)
                .route("GET", "/v1/vms", request -> vms())
                .route("POST", "/v1/vms", request -> agent.boot(request.bodyAs(VmSpec.class)))
                .route("GET", "/v1/vms/{id}", request -> run(request).describe())
                .route("DELETE", "/v1/vms/{id}", this::remove)
                .route("POST", "/v1/vms/{id}/evacuate", this::evacuate)
                .route("GET", "/v1/vms/{id}/evacuation", request -> agent.evacuation(request.variable("id")))
                .route("GET", "/v1/evacuations", request -> agent.allEvacuations())
                .route("POST", "/v1/vms/{id}/restore", this::restore)
                .route("POST", "/v1/vms/{id}/prepare", this::prepare)
                .route("POST", "/v1/vms/{id}/volume/take", this::takeVolume)
                .route("POST", "/v1/vms/{id}/volume/give", this::giveVolume)
                .route(
                        "GET",
                        "/v1/vms/{id}/console",
                        request -> FileTail.read(run(request).console(), from(request)))
                .route(
                        "POST",
                        "/v1/vms/{id}/console",
                        request -> run(request).call("console-input", request.body(), COMMAND_LIMIT_MS))
                .route(
                        "GET",
                        "/v1/vms/{id}/log",
                        request -> FileTail.read(VmRun.log(run(request).directory()), from(request)))
                .route("POST", "/v1/vms/{id}/pause", request -> run(request).call("pause", COMMAND_LIMIT_MS))
                .route("POST", "/v1/vms/{id}/resume", request -> run(request).call("resume", COMMAND_LIMIT_MS))
                .route("POST", "/v1/vms/{id}/epoch", request -> run(request).call("epoch", COMMAND_LIMIT_MS))
                .route("POST", "/v1/plans", this::plan)
                .route("POST", "/v1/peers", this::peers)
                .route("GET", "/v1/signals", request -> agent.signals())
                .route("POST", "/v1/signals", this::signals);
    }

    void start() {
        server.start();
    }

    int port() {
        return server.port();
    }

    @Override
    public void close() {
        server.close();
    }

    private VmRun run(ApiServer.Request request) {
        return agent.vms().require(request.variable("id"));
    }

    private static long from(ApiServer.Request request) {
        String text = request.query("from").orElse("0");
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new ApiError(400, "\"from\" must be a number, not " + text);
        }
    }

    private JsonNode events(ApiServer.Request request) {
        return Json.MAPPER.valueToTree(agent.events().after(from(request)));
    }

    private ArrayNode vms() {
        ArrayNode all = Json.MAPPER.createArrayNode();
        agent.vms().all().forEach(run -> all.add(run.describe()));
        return all;
    }

    private ObjectNode remove(ApiServer.Request request) throws InterruptedException {
        boolean onlyReceiving =
                request.query("onlyReceiving").map("true"::equals).orElse(false);
        return agent.remove(request.variable("id"), onlyReceiving);
    }

    private ObjectNode evacuate(ApiServer.Request request) {
        EvacuateWish wish = request.bodyAs(EvacuateWish.class);
        return agent.evacuate(request.variable("id"), wish.target(), wish.deadlineMillis());
    }

    private ObjectNode restore(ApiServer.Request request) throws InterruptedException {
        RestoreWish wish = request.bodyAs(RestoreWish.class);
        return agent.restore(request.variable("id"), wish.spec(), wish.storeKey());
    }

    private ObjectNode prepare(ApiServer.Request request) throws InterruptedException {
        PrepareWish wish = request.bodyAs(PrepareWish.class);
        if (wish.spec() == null || !wish.spec().vmId().equals(request.variable("id"))) {
            throw new ApiError(400, "\"spec\" must describe VM " + request.variable("id"));
        }
        return agent.prepare(wish.spec(), wish.source(), wish.deadlineMillis());
    }

    private JsonNode takeVolume(ApiServer.Request request) throws InterruptedException {
        return agent.takeVolume(
                request.variable("id"), request.bodyAs(TakeWish.class).limitMs());
    }

    private ObjectNode giveVolume(ApiServer.Request request) throws InterruptedException {
        GiveWish wish = request.bodyAs(GiveWish.class);
        if (wish.volume() == null) {
            throw new ApiError(400, "\"volume\" is missing");
        }
        return agent.giveVolume(request.variable("id"), wish.volume(), wish.limitMs());
    }

    private ObjectNode plan(ApiServer.Request request) {
        PlanWish wish = request.bodyAs(PlanWish.class);
        if (wish.specs() == null || Arrays.asList(wish.specs().toArray()).contains(null)) {
            throw new ApiError(400, "\"specs\" is missing");
        }
        agent.plan(wish.source(), wish.specs());
        return agent.health();
    }

    private ObjectNode peers(ApiServer.Request request) {
        PeersWish wish = request.bodyAs(PeersWish.class);
        if (wish.peers() == null || Arrays.asList(wish.peers().toArray()).contains(null)) {
            throw new ApiError(400, "\"peers\" is missing");
        }
        wish.signals().ifPresent(agent::signalsFromController);
        return agent.name(wish.peers());
    }

    /** @param signals all that the controller knows to stand for this host; absent: it says nothing about them */
    record PeersWish(List<AgentConfig.Peer> peers, Optional<List<SignalMessage>> signals) {
        PeersWish {
            signals = signals == null ? Optional.empty() : signals;
        }
    }

    private ArrayNode signals(ApiServer.Request request) {
        SignalsWish wish = request.bodyAs(SignalsWish.class);
        if (wish.signals() == null || wish.signals().stream().anyMatch(Objects::isNull)) {
            throw new ApiError(400, "\"signals\" is missing: all that stand, an empty list when none do any more");
        }
        agent.signalsFromController(wish.signals());
        return agent.signals();
    }

    /** @param signals all that the controller knows to stand for this host */
    record SignalsWish(List<SignalMessage> signals) {}

    record EvacuateWish(Optional<String> target, Optional<Long> deadlineMillis) {
        EvacuateWish {
            target = target == null ? Optional.empty() : target;
            deadlineMillis = deadlineMillis == null ? Optional.empty() : deadlineMillis;
        }
    }

    record RestoreWish(Optional<VmSpec> spec, Optional<String> storeKey) {
        RestoreWish {
            storeKey = storeKey == null ? Optional.empty() : storeKey;
            spec = spec == null ? Optional.empty() : spec;
        }
    }

    record PrepareWish(VmSpec spec, String source, long deadlineMillis) {}

    record TakeWish(long limitMs) {}

    record GiveWish(VmmConfig.Volume volume, long limitMs) {}

    record PlanWish(String source, List<VmSpec> specs) {}
}
