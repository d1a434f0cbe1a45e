// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.controller.Controller;
import dev.lifeboat.control.controller.ControllerConfig;
import dev.lifeboat.control.controller.TestCloud;
import dev.lifeboat.control.controller.TestVolumes;
import dev.lifeboat.control.volume.ControllerVolumeMover;
import dev.lifeboat.control.volume.HostDisks;
import dev.lifeboat.control.volume.HostVolumes;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Agents, a gateway and a controller over real HTTPS; the cloud is a {@link TestCloud}, and new hosts enrol for real. */
@Timeout(120)
class ControlledFleetTest {
    private static final Pattern TOKEN = Pattern.compile("token='([^']+)'");

    @TempDir
    Path directory;

    private final TestCloud cloud = new TestCloud();
    private final List<Agent> bought = new CopyOnWriteArrayList<>();
    private TestFleet fleet;
    private Controller controller;
    private int port;
    private int enrollPort;
    private int newHostPort;

    @BeforeEach
    void start() throws Exception {
        fleet = new TestFleet(directory, "a", "b", "c");
        port = freePort();
        enrollPort = freePort();
        newHostPort = freePort();
        cloud.address = "127.0.0.1";
        fleet.peersInFile = false;
        fleet.controllerUrl = Optional.of("https://127.0.0.1:" + port);
    }

    @AfterEach
    void stop() throws InterruptedException {
        if (controller != null) {
            controller.close();
        }
        for (Agent agent : bought) {
            for (VmRun run : agent.vms().all()) {
                agent.vms().remove(run);
            }
            agent.close();
        }
        fleet.close();
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private void control(Optional<Cloud> some, String... hosts) throws Exception {
        ObjectNode template = Json.MAPPER.createObjectNode();
        template.put("listen", "127.0.0.1:" + newHostPort)
                .put("runDirectory", directory.resolve("run-new").toString())
                .put("spareVmm", false);
        template.putObject("store").put("url", "dir:" + directory.resolve("store"));
        ControllerConfig config = new ControllerConfig(
                "gateway",
                "127.0.0.1:" + port,
                "https://127.0.0.1:" + port,
                "127.0.0.1:" + enrollPort,
                "https://127.0.0.1:" + enrollPort,
                fleet.authority.issue("controller", List.of("127.0.0.1")),
                directory.resolve("tls").toString(),
                directory.resolve("controller").toString(),
                "fleet",
                some.map(any -> new ControllerConfig.CloudSection(
                        "aws", "eu-central-1", Optional.empty(), Optional.empty(), null, Optional.empty())),
                null,
                Optional.empty(),
                template,
                java.util.Arrays.stream(hosts)
                        .map(host -> new ControllerConfig.FixedHost(
                                host, fleet.url(host), Optional.of("127.0.0.1"), Optional.of("i-" + host)))
                        .toList(),
                Optional.of(new AgentConfig.GatewayAt("https://127.0.0.1:" + fleet.gateway.port(), Optional.empty())),
                List.of());
        controller = new Controller(config, some);
        controller.start();
    }

    /** What the user data does on a new host, in this JVM. */
    private void bootAsUserDataSays(TargetMarket.Purchase purchase) {
        Matcher token = TOKEN.matcher(purchase.userData());
        assertThat(token.find()).isTrue();
        Thread thread = new Thread(
                () -> {
                    try {
                        Path config = directory.resolve("etc-new/agent.json");
                        Files.createDirectories(config.getParent());
                        Path authority = Files.writeString(
                                config.resolveSibling("ca.crt"),
                                purchase.userData()
                                        .replaceAll("(?s).*?(-----BEGIN.*?-----END CERTIFICATE-----\n).*", "$1"));
                        Enrolment.enrol("https://127.0.0.1:" + enrollPort, token.group(1), authority, config);
                        Agent agent = new Agent(
                                Json.readFile(config, AgentConfig.class),
                                new VmmLauncher(
                                        FakeVmm.class.getName(), List.of("-XX:TieredStopAtLevel=1", "-Xshare:auto")),
                                new TestFleet.RecordingNetwork(),
                                directory.resolve("vmlinuz"));
                        bought.add(agent);
                        agent.start();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                },
                "new-host");
        thread.start();
    }

    private JsonNode target(String vmId) {
        return fleet.client.get("https://127.0.0.1:" + port, "/v1/targets/" + vmId, 5_000);
    }

    @Test
    void anEvacuationWithoutAnyPeerWaitsForAHostThatIsBoughtAndComesToTheFleet() throws Exception {
        cloud.onLaunch = this::bootAsUserDataSays;
        control(Optional.of(cloud), "a");
        fleet.start("a");
        fleet.run("a", "web", "");
        fleet.client.post(
                fleet.url("a"),
                "/v1/vms/web/evacuate",
                Json.MAPPER.createObjectNode().put("deadlineMillis", System.currentTimeMillis() + 100_000),
                10_000);
        JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(move.get("target").asText()).startsWith("host-");
        assertThat(cloud.standing()).hasSize(1);
        assertThat(fleet.events("a")).contains("evacuation-waits", "evacuation-done");
        JsonNode hosts = fleet.client.get("https://127.0.0.1:" + port, "/v1/hosts", 5_000);
        assertThat(hosts.get(0).get("step").asText()).isEqualTo("ENROLLED");
        TestFleet.await(() -> fleet.flows.admitted.contains("127.0.0.1"), "the gateway to know the host");
        String url = hosts.get(0).get("url").asText();
        TestFleet.await(
                () -> fleet.client
                        .get(url, "/v1/vms/web", 5_000)
                        .path("state")
                        .asText()
                        .equals("RUNNING"),
                "the VM on the new host");
    }

    @Test
    void aHintWarmsATargetThatTheEvacuationThenFinds() throws Exception {
        cloud.onLaunch = this::bootAsUserDataSays;
        control(Optional.of(cloud), "a");
        Agent a = fleet.start("a");
        fleet.run("a", "web", "");
        a.warmer().warm("web", "rebalance recommendation");
        TestFleet.await(() -> target("web").path("state").asText().equals("READY"), "the warm target");
        assertThat(target("web").path("targetAcquireMs").asLong()).isPositive();
        TestFleet.await(() -> fleet.events("a").contains("peers-named"), "the agent to hear of it");
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", Json.MAPPER.createObjectNode(), 10_000);
        assertThat(fleet.awaitEvacuation("a", "web", "DONE").get("attempts").asInt())
                .isEqualTo(1);
    }

    @Test
    void aVmWhoseTargetNeverComesRunsOnAndTheDeadlineEndsTheWait() throws Exception {
        cloud.capacity.put(TargetMarket.PriceClass.SPOT, 0);
        cloud.capacity.put(TargetMarket.PriceClass.ON_DEMAND, 0);
        control(Optional.of(cloud), "a");
        fleet.start("a");
        fleet.run("a", "web", "");
        fleet.client.post(
                fleet.url("a"),
                "/v1/vms/web/evacuate",
                Json.MAPPER.createObjectNode().put("deadlineMillis", System.currentTimeMillis() + 5_000),
                10_000);
        assertThat(fleet.awaitEvacuation("a", "web", "FAILED").get("message").asText())
                .contains("no target before the deadline");
        assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
        assertThat(target("web").get("message").asText()).contains("no host is to be had");
    }

    @Test
    void agentsLearnTheirPeersFromTheControllerAndKeepThemWhenItIsAway() throws Exception {
        control(Optional.empty(), "a", "b");
        fleet.start("a");
        fleet.start("b");
        Path kept = fleet.directory.resolve("run-a/peers.json");
        TestFleet.await(() -> contains(kept, "\"b\""), "a to hear of b");
        fleet.run("a", "web", "");
        controller.close();
        fleet.stop("a");
        fleet.start("a");
        fleet.awaitState("a", "web", "RUNNING");
        fleet.client.post(
                fleet.url("a"),
                "/v1/vms/web/evacuate",
                Json.MAPPER.createObjectNode().put("target", "b"),
                10_000);
        fleet.awaitEvacuation("a", "web", "DONE");
        fleet.awaitState("b", "web", "RUNNING");
    }

    @Test
    void aMachineOfOnesOwnGetsItsScriptAndItsNameOnce() throws Exception {
        control(Optional.empty());
        ObjectNode wish = Json.MAPPER.createObjectNode().put("host", "rack-7").put("memoryMiB", 4_096);
        String url = "https://127.0.0.1:" + port;
        JsonNode made = fleet.client.post(url, "/v1/hosts", wish, 5_000);
        bootAsUserDataSays(new TargetMarket.Purchase(
                "x",
                "fleet",
                List.of(new TargetMarket.Offer("s", "z", TargetMarket.PriceClass.SPOT, 0, 0)),
                made.get("script").asText()));
        TestFleet.await(
                () -> fleet.client
                        .get(url, "/v1/hosts", 5_000)
                        .path(0)
                        .path("answers")
                        .asBoolean(),
                "rack-7");
        assertThatThrownBy(() -> fleet.client.post(url, "/v1/hosts", wish, 5_000))
                .hasMessageContaining("there is a host rack-7 already");
    }

    /** Hosts have no rights in the cloud: the controller moves the volume for them, and targets are where it can be had. */
    @Test
    void aVolumeOfTheCloudGoesWithItsVmByTheController() throws Exception {
        cloud.volumes().add("vol-1", "a");
        cloud.market.add(0, new TargetMarket.Offer("m8i.large", "b", TargetMarket.PriceClass.SPOT, 10, 0.01));
        fleet.disks = host -> new HostVolumes(
                Optional.of(new ControllerVolumeMover("https://127.0.0.1:" + port + "/v1/volumes", host, fleet.client)),
                new AttachedDisks(cloud.volumes(), "i-" + host));
        control(Optional.of(cloud), "a", "b");
        Agent a = fleet.start("a");
        fleet.start("b");
        Path mountPoint = directory.resolve("volume");
        ObjectNode spec = fleet.spec("web", "");
        spec.set(
                "store",
                Json.MAPPER.valueToTree(new VmmConfig.Store(
                        "dir:" + mountPoint.resolve("store"),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of(new VmmConfig.Volume("vol-1", null, mountPoint.toString(), null, true)))));
        spec.set(
                "owners",
                Json.MAPPER.valueToTree(new VmmConfig.Owners(
                        Optional.of("dir:" + directory.resolve("registry")), VmmConfig.Ownership.STRICT, 0)));
        fleet.client.post(fleet.url("a"), "/v1/vms", spec, 20_000);
        fleet.awaitState("a", "web", "RUNNING");
        assertThat(cloud.volumes().holder("vol-1")).hasValue("i-a");

        a.warmer().warm("web", "rebalance recommendation");
        TestFleet.await(() -> !cloud.standing().isEmpty(), "a target to be bought");
        assertThat(cloud.standing()).extracting(TargetMarket.Instance::zone).containsOnly("a");

        TestFleet.await(() -> contains(fleet.directory.resolve("run-a/peers.json"), "\"b\""), "a to hear of b");
        fleet.client.post(
                fleet.url("a"),
                "/v1/vms/web/evacuate",
                Json.MAPPER.createObjectNode().put("target", "b"),
                10_000);
        JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(move.get("volume").get("state").asText()).as(move.toString()).isEqualTo("THERE");
        fleet.awaitState("b", "web", "RUNNING");
        assertThat(cloud.volumes().moves()).containsExactly("attach vol-1 i-a", "detach vol-1 i-a", "attach vol-1 i-b");

        ObjectNode foreign =
                Json.MAPPER.createObjectNode().put("volume", "vol-1").put("host", "nobody");
        assertThatThrownBy(() ->
                        fleet.client.post("https://127.0.0.1:" + port, "/v1/volumes/detach-elsewhere", foreign, 5_000))
                .hasMessageContaining("the cloud's name of host nobody is not known");
        assertThat(cloud.volumes().holder("vol-1")).hasValue("i-b");
    }

    /** Such as a queue of events: the host is told, whatever its own metadata service says. */
    @Test
    void aNoticeThatOnlyTheControllerHearsMovesTheVmsOfThatHost() throws Exception {
        control(Optional.of(cloud), "a", "b");
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "");
        TestFleet.await(() -> contains(fleet.directory.resolve("run-a/peers.json"), "\"b\""), "a to hear of b");
        Signal notice = new Signal(
                cloud.source.name(),
                "i-a",
                "event-1",
                Signal.Kind.NOTICE,
                "terminate",
                OptionalLong.of(Clocks.SYSTEM.inMillis(60_000)),
                Signal.Confidence.MEDIUM,
                "two minutes after something");
        cloud.source.say(notice);
        JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(move.get("deadlineMillis").asLong()
                        - move.get("askedAtMillis").asLong())
                .isBetween(50_000L, 60_000L);
        assertThat(fleet.events("b")).doesNotContain("notice");
        assertThat(fleet.client.get(fleet.url("a"), "/v1/health", 5_000).has("notice"))
                .isTrue();

        // What was said last stands while the source cannot look.
        cloud.source.fail("the queue is away");
        TestFleet.await(() -> controllerEvents().contains("signals-failed"), "the controller to say so");
        assertThat(fleet.events("a")).doesNotContain("notice-withdrawn");
        cloud.source.say();
        TestFleet.await(() -> fleet.events("a").contains("notice-withdrawn"), "the end of the notice");
        assertThat(controllerEvents()).contains("signals-heard-again");
    }

    private List<String> controllerEvents() {
        List<String> kinds = new ArrayList<>();
        fleet.client
                .get("https://127.0.0.1:" + port, "/v1/events", 5_000)
                .forEach(event -> kinds.add(event.path("kind").asText()));
        return kinds;
    }

    /** Those of one instance: only what is attached can be mounted. */
    private record AttachedDisks(TestVolumes volumes, String instance, Set<String> mounted) implements HostDisks {
        AttachedDisks(TestVolumes volumes, String instance) {
            this(volumes, instance, ConcurrentHashMap.newKeySet());
        }

        @Override
        public boolean isMounted(VmmConfig.Volume volume) {
            return mounted.contains(volume.id());
        }

        @Override
        public void mount(VmmConfig.Volume volume, String serial, boolean mayFormat, long limitMs) {
            assertThat(volumes.holder(volume.id())).hasValue(instance);
            assertThat(serial).isEqualTo("vol1");
            mounted.add(volume.id());
        }

        @Override
        public void unmount(VmmConfig.Volume volume, long limitMs) {
            mounted.remove(volume.id());
        }
    }

    @Test
    void aGateThatRefusesSendsTheVmToTheNextTargetAndHooksSeeWhereItGoes() throws Exception {
        fleet.peersInFile = true;
        fleet.controllerUrl = Optional.empty();
        for (String host : List.of("a", "b", "c")) {
            fleet.start(host);
        }
        Path seen = directory.resolve("seen");
        ObjectNode spec = fleet.spec("web", "");
        ObjectNode hooks = spec.putObject("hooks");
        command(hooks, "gate", "[ $LIFEBOAT_TARGET = c ] || { echo no licence is free; exit 4; }");
        command(hooks, "beforeMove", "echo before $LIFEBOAT_VM $LIFEBOAT_SOURCE >>" + seen);
        command(hooks, "afterMove", "echo after $LIFEBOAT_VM $LIFEBOAT_TARGET >>" + seen);
        fleet.client.post(fleet.url("a"), "/v1/vms", spec, 20_000);
        fleet.awaitState("a", "web", "RUNNING");
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", Json.MAPPER.createObjectNode(), 10_000);
        JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(move.get("target").asText()).isEqualTo("c");
        fleet.awaitState("c", "web", "RUNNING");
        TestFleet.await(() -> lines(seen).size() == 2, "both hooks");
        assertThat(lines(seen)).containsExactly("before web a", "after web c");
        assertThat(fleet.client.get(fleet.url("b"), "/v1/events", 5_000).toString())
                .contains("gate-failed", "exit code 4: no licence is free");
    }

    @Test
    void aGateThatHangsIsEndedAtItsLimitAndTheVmRunsOn() throws Exception {
        fleet.peersInFile = true;
        fleet.controllerUrl = Optional.empty();
        fleet.start("a");
        fleet.start("b");
        ObjectNode spec = fleet.spec("web", "");
        command(spec.putObject("hooks"), "gate", "sleep 600").put("limitMillis", 300);
        fleet.client.post(fleet.url("a"), "/v1/vms", spec, 20_000);
        fleet.awaitState("a", "web", "RUNNING");
        fleet.client.post(
                fleet.url("a"),
                "/v1/vms/web/evacuate",
                Json.MAPPER.createObjectNode().put("target", "b"),
                10_000);
        assertThat(fleet.awaitEvacuation("a", "web", "FAILED").get("message").asText())
                .contains("did not end within 300 ms");
        assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
    }

    private static ObjectNode command(ObjectNode hooks, String name, String script) {
        ObjectNode hook = hooks.putObject(name);
        hook.putArray("command").add("/bin/sh").add("-c").add(script);
        return hook;
    }

    private static List<String> lines(Path file) {
        try {
            return Files.exists(file) ? Files.readAllLines(file) : List.of();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static boolean contains(Path file, String text) {
        try {
            return Files.exists(file) && Files.readString(file).contains(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
