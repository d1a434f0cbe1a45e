// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.NetworkConfig;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.gateway.FlowTable;
import dev.lifeboat.control.gateway.Gateway;
import dev.lifeboat.control.gateway.GatewayConfig;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.control.volume.HostVolumes;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/** Agents and a gateway in this JVM, over real HTTPS on loopback; their VMs are {@link FakeVmm} processes. */
final class TestFleet implements AutoCloseable {
    static final String MAC = "52:54:00:00:00:01";

    /** Set before a start. */
    boolean spareVmm;

    /** Set before a start. */
    int vmLifeSeconds = 60;

    /** Set before a start. */
    Optional<String> controllerUrl = Optional.empty();

    /** Whether agents are told their peers by a file; set before a start. */
    boolean peersInFile = true;

    Optional<Path> rulesFile = Optional.empty();
    Optional<String> cloud = Optional.empty();
    Map<String, String> metadataOptions = Map.of();
    Optional<TargetWarmer> warmer = Optional.empty();
    Optional<StreamingRate> rate = Optional.empty();

    final Path directory;
    final FleetAuthority authority;
    final ApiClient client;
    final RecordingFlows flows = new RecordingFlows();
    final Gateway gateway;
    final Map<String, RecordingNetwork> networks = new ConcurrentHashMap<>();
    final FakeVolumes volumes = new FakeVolumes();
    /** Set before a start. */
    Function<String, HostVolumes> disks = volumes::on;

    private final Map<String, Integer> ports = new LinkedHashMap<>();
    private final Map<String, Agent> agents = new ConcurrentHashMap<>();
    private final Path kernel;

    TestFleet(Path directory, String... hosts) throws IOException {
        this.directory = directory;
        authority = FleetAuthority.openOrCreate(directory.resolve("tls"));
        client = new ApiClient(FleetTls.read(authority.issue("client", List.of())));
        kernel = Files.writeString(directory.resolve("vmlinuz"), "a kernel");
        for (String host : hosts) {
            ports.put(host, freePort());
            authority.issue(host, List.of("127.0.0.1"));
        }
        gateway = new Gateway(
                new GatewayConfig(
                        "gateway",
                        "127.0.0.1:0",
                        authority.issue("gateway", List.of("127.0.0.1")),
                        new NetworkConfig("127.0.0.1", 1, null, null, null, null),
                        List.of(),
                        List.of()),
                flows);
        gateway.start();
    }

    Agent start(String host) {
        return start(host, Optional.empty());
    }

    Agent start(String host, Optional<String> imdsUrl) {
        RecordingNetwork network = networks.computeIfAbsent(host, name -> new RecordingNetwork());
        Agent agent = new Agent(
                config(host, imdsUrl),
                new VmmLauncher(
                        FakeVmm.class.getName(),
                        List.of(
                                "-XX:TieredStopAtLevel=1",
                                "-Xshare:auto",
                                "-D" + FakeVmm.LIFE_SECONDS + "=" + vmLifeSeconds)),
                network,
                kernel,
                Optional.of(disks.apply(host)),
                warmer,
                rate);
        agent.start();
        agents.put(host, agent);
        return agent;
    }

    AgentConfig config(String host, Optional<String> imdsUrl) {
        List<AgentConfig.Peer> peers = new ArrayList<>();
        ports.forEach((name, port) -> {
            if (peersInFile && !name.equals(host)) {
                peers.add(new AgentConfig.Peer(name, "https://127.0.0.1:" + port, Optional.empty()));
            }
        });
        Path tls = directory.resolve("tls");
        return new AgentConfig(
                host,
                "127.0.0.1:" + ports.get(host),
                Optional.of("127.0.0.1"),
                new VmmConfig.Tls(
                        tls.resolve("ca.crt").toString(),
                        tls.resolve(host + ".crt").toString(),
                        tls.resolve(host + ".key").toString()),
                peers,
                Optional.of(new AgentConfig.GatewayAt("https://127.0.0.1:" + gateway.port(), Optional.empty())),
                Optional.empty(),
                Optional.of(
                        new VmmConfig.Store("dir:" + directory.resolve("store"), Optional.empty(), Optional.empty())),
                Optional.empty(),
                Optional.of(100),
                directory.resolve("run-" + host).toString(),
                Optional.empty(),
                List.of(),
                Optional.of(spareVmm),
                Optional.empty(),
                controllerUrl,
                // Found out at the test's address, and nowhere else.
                imdsUrl.isPresent() ? cloud : Optional.of(AgentConfig.NO_CLOUD),
                imdsUrl,
                metadataOptions,
                rulesFile.map(Path::toString));
    }

    String url(String host) {
        return "https://127.0.0.1:" + port(host);
    }

    /** Where a host listens, or would. */
    int port(String host) {
        return ports.get(host);
    }

    /** The spec of a VM with one interface. */
    ObjectNode spec(String vmId, String commandLine) {
        return Json.MAPPER.valueToTree(new VmSpec(
                vmId,
                64,
                1,
                kernel.toString(),
                Optional.empty(),
                commandLine,
                Optional.of(MAC),
                List.of(),
                1_000,
                Optional.empty()));
    }

    JsonNode run(String host, String vmId, String commandLine) throws InterruptedException {
        client.post(url(host), "/v1/vms", spec(vmId, commandLine), 20_000);
        return awaitState(host, vmId, "RUNNING");
    }

    JsonNode vm(String host, String vmId) {
        return client.get(url(host), "/v1/vms/" + vmId, 10_000);
    }

    JsonNode awaitState(String host, String vmId, String state) throws InterruptedException {
        await(() -> vm(host, vmId).path("state").asText().equals(state), vmId + " on " + host + " to be " + state);
        return vm(host, vmId);
    }

    JsonNode awaitEvacuation(String host, String vmId, String state) throws InterruptedException {
        String path = "/v1/vms/" + vmId + "/evacuation";
        await(
                () -> {
                    try {
                        return client.get(url(host), path, 10_000)
                                .path("state")
                                .asText()
                                .equals(state);
                    } catch (ApiError notYet) {
                        return false;
                    }
                },
                "the evacuation of " + vmId + " to be " + state);
        return client.get(url(host), path, 10_000);
    }

    List<String> events(String host) {
        List<String> kinds = new ArrayList<>();
        client.get(url(host), "/v1/events", 10_000)
                .forEach(event -> kinds.add(event.path("kind").asText()));
        return kinds;
    }

    static void await(BooleanSupplier condition, String what) throws InterruptedException {
        long limitNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - limitNs > 0) {
                throw new AssertionError("waited 30 s for " + what);
            }
            Thread.sleep(20);
        }
    }

    void stop(String host) {
        agents.remove(host).close();
    }

    /** Ends every agent, and every fake vmm that any of them has started. */
    @Override
    public void close() throws InterruptedException {
        for (Agent agent : agents.values()) {
            for (VmRun run : agent.vms().all()) {
                agent.vms().remove(run);
            }
            agent.close();
        }
        gateway.close();
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** Remembers what the agent asked of the host's network. */
    static final class RecordingNetwork implements GuestNetwork {
        final Map<String, String> taps = new ConcurrentHashMap<>();
        final Map<String, Boolean> broadcasts = new ConcurrentHashMap<>();
        final List<String> announced = new CopyOnWriteArrayList<>();

        @Override
        public void ensureFabric() {}

        @Override
        public void createTap(String tap, String mac) {
            taps.put(tap, mac);
        }

        @Override
        public void receiveBroadcasts(String tap, boolean on) {
            broadcasts.put(tap, on);
        }

        @Override
        public void removeTap(String tap) {
            taps.remove(tap);
        }

        @Override
        public void announce(String mac) {
            announced.add(mac);
        }

        @Override
        public void close() {}
    }

    /** A gateway's flows, in memory. */
    static final class RecordingFlows implements FlowTable {
        final Map<String, String> flows = new ConcurrentHashMap<>();
        final List<String> admitted = new CopyOnWriteArrayList<>();
        final List<Long> terms = new CopyOnWriteArrayList<>();

        @Override
        public void point(String mac, String vtep, long term) {
            flows.put(mac, vtep);
            terms.add(term);
        }

        @Override
        public void drop(String mac) {
            flows.remove(mac);
        }

        @Override
        public void admit(List<String> vteps) {
            admitted.clear();
            admitted.addAll(vteps);
        }

        @Override
        public Map<String, String> flows() {
            return flows;
        }

        @Override
        public void close() {}
    }
}
