// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.controller.Controller;
import dev.lifeboat.control.controller.ControllerConfig;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.FabricOptions;
import dev.lifeboat.systemtests.machine.Machine;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The part of a cloud in {@code demo --cloud}: a fake control plane, and the real controller with the cloud's real SDK, in
 * this process. Host B is not there until the controller buys it; then it is a machine of the fabric that has nothing but
 * an address, the program and the user data.
 */
final class DemoCloud implements AutoCloseable {
    private static final String TARGET = "host-b";
    private static final long CALL_LIMIT_MS = 5_000;

    private final DemoCloudKind kind;
    private final int controllerPort;
    private final int enrolPort;
    private final AtomicReference<String> launchFailure = new AtomicReference<>();
    private final ExecutorService launches = Executors.newSingleThreadExecutor(task -> new Thread(task, "demo-launch"));
    private FakeControlPlane plane;
    private Controller controller;
    private ApiClient client;

    DemoCloud(DemoCloudKind kind) throws IOException {
        this.kind = kind;
        controllerPort = Machine.freePort();
        enrolPort = Machine.freePort();
    }

    FabricOptions.CloudFleet fleet() {
        return new FabricOptions.CloudFleet(
                kind.word(), "https://" + Machine.HARNESS_ADDRESS + ":" + controllerPort, kind.metadataOptions());
    }

    /** Once the fabric's first machines run. */
    void start(EmulatedFabric fabric) throws IOException, InterruptedException {
        plane = FakeControlPlane.start(
                kind.word(),
                fabric.underlayAddress(TARGET),
                userData -> launches.execute(() -> {
                    try {
                        fabric.launch(TARGET, userData);
                    } catch (IOException | RuntimeException e) {
                        launchFailure.set(String.valueOf(e.getMessage()));
                    }
                }));
        VmmConfig.Tls tls = fabric.issue("controller", List.of("127.0.0.1", Machine.HARNESS_ADDRESS));
        String harness = "https://" + Machine.HARNESS_ADDRESS + ":";
        ControllerConfig config = new ControllerConfig(
                "controller",
                "127.0.0.1:" + controllerPort,
                harness + controllerPort,
                "127.0.0.1:" + enrolPort,
                harness + enrolPort,
                tls,
                fabric.certificates().toString(),
                fabric.certificates().resolveSibling("controller").toString(),
                "demo",
                Optional.of(plane.section()),
                // The one machine that there is to launch; where notices are short, a VM that has moved wants the next
                // one.
                ControllerConfig.Limits.atMost(1),
                Optional.empty(),
                fabric.prepareLaunch(TARGET),
                List.of(new ControllerConfig.FixedHost(
                        "host-a",
                        fabric.url("host-a"),
                        Optional.of(fabric.underlayAddress("host-a")),
                        Optional.empty())),
                Optional.of(
                        new AgentConfig.GatewayAt(fabric.url("gateway"), Optional.of(fabric.gatewayUnderlayAddress()))),
                List.of());
        controller = new Controller(config, Optional.of(Controller.open(plane.section())), fabric::roadTo);
        controller.start();
        client = ApiClient.patient(FleetTls.read(tls));
    }

    /** What the controller has for a VM. */
    JsonNode target(String vmId) throws DemoFailure {
        String failed = launchFailure.get();
        if (failed != null) {
            throw new DemoFailure("the launch of " + TARGET + " failed: " + failed);
        }
        return client.get("https://127.0.0.1:" + controllerPort, "/v1/targets/" + vmId, CALL_LIMIT_MS);
    }

    /** What the controller did, a line each, for the logs of a run that failed. */
    String events() {
        StringBuilder text = new StringBuilder();
        client.get("https://127.0.0.1:" + controllerPort, "/v1/events", CALL_LIMIT_MS)
                .forEach(event -> text.append(event).append('\n'));
        return text.toString();
    }

    DemoCloudKind kind() {
        return kind;
    }

    @Override
    public void close() {
        launches.shutdownNow();
        if (controller != null) {
            controller.close();
        }
        if (plane != null) {
            plane.close();
        }
    }
}
