// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.agent.Enrolment;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.ApiServer;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.control.volume.ControllerVolumeMover;
import dev.lifeboat.vmm.Json;
import java.util.Optional;

/**
 * The controller's two HTTPS APIs (docs/clouds.md): one for agents and commands, who show certificates, and one for new
 * hosts, which have none and can do nothing but enrol and fetch the program. On the servers' threads {@code api-N}.
 */
final class ControllerApi implements AutoCloseable {
    /** Under the controller's URL: where agents have volumes moved. */
    static final String VOLUMES = "/v1/volumes";

    private final Controller controller;
    private final ApiServer server;
    private final ApiServer enrolment;

    ControllerApi(
            Controller controller,
            Enrolments enrolments,
            ControllerConfig config,
            FleetTls tls,
            Optional<ProgramArchive> program) {
        this.controller = controller;
        server = new ApiServer(config.listen(), tls)
                .route("GET", "/v1/health", request -> controller.health())
                .route("GET", "/v1/events", this::events)
                .route("GET", "/v1/hosts", request -> hosts())
                .route("POST", "/v1/hosts", this::expect)
                .route(
                        "GET",
                        "/v1/targets",
                        request -> json(controller.planner().allTargets()))
                .route(
                        "GET",
                        "/v1/targets/{vm}",
                        request -> json(controller.planner().target(vm(request))))
                .route(
                        "POST",
                        "/v1/targets/{vm}",
                        request -> json(controller.wish(vm(request), request.bodyAs(VmWish.class))))
                .route(
                        "DELETE",
                        "/v1/targets/{vm}",
                        request -> json(controller.planner().calm(vm(request))))
                .route("GET", "/v1/moves", request -> json(controller.moves()))
                .route("POST", "/v1/arrivals", this::arrived)
                .route(
                        "POST",
                        VOLUMES + "/attach",
                        request -> json(controller.volumes().attach(request.bodyAs(ControllerVolumeMover.Wish.class))))
                .route(
                        "POST",
                        VOLUMES + "/detach",
                        request -> json(controller.volumes().detach(request.bodyAs(ControllerVolumeMover.Wish.class))))
                .route(
                        "POST",
                        VOLUMES + "/detach-elsewhere",
                        request -> json(controller
                                .volumes()
                                .detachElsewhere(request.bodyAs(ControllerVolumeMover.Wish.class))));
        try {
            enrolment = new ApiServer(config.enrollListen(), tls, ApiServer.Clients.ANYBODY)
                    .route(
                            "POST",
                            "/v1/enroll",
                            request -> json(enrolments.enrol(request.bodyAs(Enrolment.Wish.class), request.remote())));
        } catch (RuntimeException e) {
            server.close();
            throw e;
        }
        program.ifPresent(some -> enrolment.file("/v1/program", some.file()));
    }

    void start() {
        server.start();
        enrolment.start();
    }

    int port() {
        return server.port();
    }

    int enrollPort() {
        return enrolment.port();
    }

    @Override
    public void close() {
        enrolment.close();
        server.close();
    }

    private JsonNode events(ApiServer.Request request) {
        String from = request.query("from").orElse("0");
        try {
            return json(controller.events().after(Long.parseLong(from)));
        } catch (NumberFormatException e) {
            throw new ApiError(400, "\"from\" must be a number, not " + from);
        }
    }

    private ArrayNode hosts() {
        ArrayNode all = Json.MAPPER.createArrayNode();
        for (HostRecord host : controller.planner().allHosts()) {
            ObjectNode about = all.addObject();
            about.put("host", host.name()).put("step", host.step().name()).put("bought", host.bought());
            about.put("answers", controller.answers(host.name()));
            about.put("instance", host.instanceId()).put("size", host.size()).put("zone", host.zone());
            about.put("priceClass", host.priceClass().name()).put("dollarsPerHour", host.dollarsPerHour());
            about.put("url", host.url()).put("underlayAddress", host.underlayAddress());
            ArrayNode vms = about.putArray("targetOf");
            host.vms().keySet().stream().sorted().forEach(vms::add);
        }
        return all;
    }

    /** A machine of one's own gets its script. */
    private ObjectNode expect(ApiServer.Request request) {
        ExpectWish wish = request.bodyAs(ExpectWish.class);
        if (wish.host() == null || !wish.host().matches("[a-zA-Z0-9][a-zA-Z0-9.-]*")) {
            throw new ApiError(400, "\"host\" is missing or cannot be the name of a machine: " + wish.host());
        }
        try {
            HostRecord host = controller
                    .planner()
                    .expect(
                            wish.host(),
                            wish.vcpus().orElse(1),
                            wish.memoryMiB().orElse(1_024));
            return Json.MAPPER.createObjectNode().put("host", host.name()).put("script", controller.script(host));
        } catch (IllegalArgumentException e) {
            throw new ApiError(409, e.getMessage());
        }
    }

    private ObjectNode arrived(ApiServer.Request request) {
        Arrival arrival = request.bodyAs(Arrival.class);
        if (arrival.vmId() == null || arrival.host() == null) {
            throw new ApiError(400, "an arrival needs \"vmId\", \"host\" and \"term\"");
        }
        controller.arrived(arrival.vmId(), arrival.host(), arrival.term());
        return Json.MAPPER.createObjectNode().put("vmId", arrival.vmId());
    }

    private static String vm(ApiServer.Request request) {
        String vm = request.variable("vm");
        if (!VmSpec.VM_ID.matcher(vm).matches()) {
            throw new ApiError(400, "\"" + vm + "\" is no name of a VM: " + VmSpec.VM_ID);
        }
        return vm;
    }

    private static JsonNode json(Object value) {
        return Json.MAPPER.valueToTree(value);
    }

    record ExpectWish(String host, Optional<Integer> vcpus, Optional<Integer> memoryMiB) {
        ExpectWish {
            vcpus = vcpus == null ? Optional.empty() : vcpus;
            memoryMiB = memoryMiB == null ? Optional.empty() : memoryMiB;
        }
    }

    record Arrival(String vmId, String host, long term) {}
}
