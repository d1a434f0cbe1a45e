// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.agent.Enrolment;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.controller.Controller;
import dev.lifeboat.control.controller.ControllerConfig;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiServer;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.systemtests.machine.Machine;
import dev.lifeboat.vmm.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What {@code demo --cloud} stands on, without emulated machines: the real controller with a cloud's real SDK buys a host
 * from that cloud's fake control plane, and who runs its user data enrols and is named as the target. It is an integration
 * test because it runs on the packaged libraries of the clouds, as the program does.
 */
class CloudLaunchIT {
    private static final Pattern TOKEN = Pattern.compile("token='([^']+)'");
    private static final long LIMIT_MS = 10_000;

    @TempDir
    Path directory;

    private static String url(int port) {
        return "https://127.0.0.1:" + port;
    }

    @ParameterizedTest
    @ValueSource(strings = {"aws", "azure", "gcp"})
    @Timeout(120)
    void aHostIsBoughtLaunchedWithItsUserDataEnrolledAndNamed(String kind) throws Exception {
        int controllerPort = Machine.freePort();
        int enrolPort = Machine.freePort();
        int agentPort = Machine.freePort();
        FleetAuthority authority = FleetAuthority.openOrCreate(directory.resolve("tls"));
        BlockingQueue<String> launched = new LinkedBlockingQueue<>();
        try (FakeControlPlane plane = FakeControlPlane.start(kind, "127.0.0.1", launched::add)) {
            ObjectNode template = Json.MAPPER.createObjectNode().put("listen", "127.0.0.1:" + agentPort);
            ControllerConfig config = new ControllerConfig(
                    "controller",
                    "127.0.0.1:" + controllerPort,
                    url(controllerPort),
                    "127.0.0.1:" + enrolPort,
                    url(enrolPort),
                    authority.issue("controller", List.of("127.0.0.1")),
                    directory.resolve("tls").toString(),
                    directory.resolve("state").toString(),
                    "demo",
                    Optional.of(plane.section()),
                    null,
                    Optional.empty(),
                    template,
                    List.of(),
                    Optional.empty(),
                    List.of());
            try (Controller controller = new Controller(config, Optional.of(Controller.open(plane.section())))) {
                controller.start();
                ApiClient client = ApiClient.patient(FleetTls.read(authority.issue("client", List.of())));
                assertThat(ask(client, controllerPort).path("state").asText()).isNotEqualTo("READY");

                String userData = launched.poll(60, TimeUnit.SECONDS);
                assertThat(userData).startsWith("#!/bin/sh").contains(url(enrolPort));
                Path agentJson = enrol(userData, enrolPort);
                try (ApiServer agent = agent(agentJson)) {
                    agent.start();
                    JsonNode target = ask(client, controllerPort);
                    while (!target.path("state").asText().equals("READY")) {
                        Thread.sleep(200);
                        target = ask(client, controllerPort);
                    }
                    assertThat(target.path("url").asText()).isEqualTo(url(agentPort));
                    assertThat(target.path("targetAcquireMs").asLong()).isPositive();
                    assertThat(launched).as("one host was enough").isEmpty();
                }
            }
        }
    }

    private static JsonNode ask(ApiClient client, int controllerPort) {
        ObjectNode wish = Json.MAPPER.createObjectNode();
        wish.put("host", "host-a")
                .put("memoryMiB", 512)
                .put("vcpus", 1)
                .put("warm", true)
                .put("atRisk", false)
                .put("reason", "rebalance");
        return client.post(url(controllerPort), "/v1/targets/redis", wish, LIMIT_MS);
    }

    private Path enrol(String userData, int enrolPort) throws Exception {
        Matcher token = TOKEN.matcher(userData);
        assertThat(token.find()).isTrue();
        Path agentJson = Files.createDirectories(directory.resolve("new-host")).resolve("agent.json");
        Path authority = Files.writeString(
                agentJson.resolveSibling("ca.crt"),
                userData.replaceAll("(?s).*?(-----BEGIN.*?-----END CERTIFICATE-----\n).*", "$1"));
        Enrolment.enrol(url(enrolPort), token.group(1), authority, agentJson);
        return agentJson;
    }

    /** Says that it is well, with the identity that it got. */
    private static ApiServer agent(Path agentJson) {
        AgentConfig config = Json.readFile(agentJson, AgentConfig.class);
        return new ApiServer(config.listen(), FleetTls.read(config.tls()))
                .route(
                        "POST",
                        "/v1/peers",
                        request -> Json.MAPPER
                                .createObjectNode()
                                .put("role", "agent")
                                .put("host", config.host())
                                .put("vms", 0)
                                .put("vmMemoryMiB", 0));
    }
}
