// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.agent.Agent;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.agent.FakeVmm;
import dev.lifeboat.control.agent.GuestNetwork;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.control.agent.VmmLauncher;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.FleetTls;
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
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * Real agents, each a JVM of its own with the flags of this one, over HTTPS on loopback; their VMs are processes that only
 * answer. Not thread-safe. Closing it ends every process and removes the directory.
 */
final class BenchmarkFleet implements AutoCloseable {
    private static final int LIMIT_SECONDS = 120;
    private static final int LIMIT_MS = 60_000;
    private static final int VM_MIB = 64;
    private static final int VM_LIFE_SECONDS = 600;

    private final Path directory;
    private final FleetAuthority authority;
    private final ApiClient client;
    private final Map<String, Integer> ports = new LinkedHashMap<>();
    private final Map<String, Process> agents = new LinkedHashMap<>();

    BenchmarkFleet(String... hosts) throws IOException {
        directory = Files.createTempDirectory("lifeboat-benchmark-");
        authority = FleetAuthority.openOrCreate(directory.resolve("tls"));
        client = ApiClient.patient(FleetTls.read(authority.issue("client", List.of())));
        Files.writeString(kernel(), "a kernel");
        for (String host : hosts) {
            try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                ports.put(host, free.getLocalPort());
            }
        }
    }

    /** The main program of an agent: its configuration and what it takes for a kernel. */
    public static void main(String[] arguments) throws InterruptedException {
        AgentConfig config = Json.readFile(Path.of(arguments[0]), AgentConfig.class);
        VmmLauncher launcher = new VmmLauncher(
                FakeVmm.class.getName(),
                List.of(
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-Xmx32m",
                        "-D" + FakeVmm.LIFE_SECONDS + "=" + VM_LIFE_SECONDS));
        Agent agent = new Agent(config, launcher, GuestNetwork.NONE, Path.of(arguments[1]));
        agent.start();
        Thread.currentThread().join();
    }

    /**
     * Starts the agent of a host and waits until it answers.
     *
     * @param cloud whose notices it watches for at {@code metadataUrl}; empty for none
     */
    void start(String host, Optional<String> cloud, Optional<String> metadataUrl)
            throws IOException, InterruptedException {
        List<AgentConfig.Peer> peers = new ArrayList<>();
        ports.forEach((name, port) -> {
            if (!name.equals(host)) {
                peers.add(new AgentConfig.Peer(name, url(name), Optional.empty()));
            }
        });
        AgentConfig config = new AgentConfig(
                host,
                "127.0.0.1:" + ports.get(host),
                Optional.of("127.0.0.1"),
                authority.issue(host, List.of("127.0.0.1")),
                peers,
                Optional.empty(),
                Optional.empty(),
                Optional.of(
                        new VmmConfig.Store("dir:" + directory.resolve("store"), Optional.empty(), Optional.empty())),
                Optional.empty(),
                Optional.empty(),
                runDirectory(host).toString(),
                Optional.empty(),
                List.of(),
                Optional.of(false),
                Optional.empty(),
                Optional.empty(),
                Optional.of(cloud.orElse(AgentConfig.NO_CLOUD)),
                metadataUrl,
                Map.of(),
                Optional.empty());
        Path file = directory.resolve(host + ".json");
        Json.MAPPER.writeValue(file.toFile(), config);
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(flags());
        words.addAll(List.of("-cp", System.getProperty("java.class.path"), BenchmarkFleet.class.getName()));
        words.addAll(List.of(file.toString(), kernel().toString()));
        agents.put(
                host,
                new ProcessBuilder(words)
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve(host + ".log").toFile())
                        .start());
        await("the agent of " + host, () -> {
            try {
                return get(host, "/v1/health") != null;
            } catch (ControlException notYet) {
                return false;
            }
        });
    }

    /** As many {@code --add-opens} as this process was given, which the libraries need, and nothing else. */
    private static List<String> flags() throws IOException {
        return Stream.of(Files.readString(Path.of("/proc/self/cmdline")).split("\0"))
                .filter(word -> word.startsWith("--add-") && word.contains("="))
                .toList();
    }

    /** Ends it, not its VMs. */
    void stop(String host) throws InterruptedException {
        Process agent = agents.remove(host);
        agent.destroy();
        agent.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    long pid(String host) {
        return agents.get(host).pid();
    }

    Path runDirectory(String host) {
        return directory.resolve("run-" + host);
    }

    private Path kernel() {
        return directory.resolve("vmlinuz");
    }

    private String url(String host) {
        return "https://127.0.0.1:" + ports.get(host);
    }

    JsonNode get(String host, String path) {
        return client.get(url(host), path, LIMIT_MS);
    }

    void run(String host, String vmId) throws InterruptedException {
        VmSpec spec = new VmSpec(
                vmId,
                VM_MIB,
                1,
                kernel().toString(),
                Optional.empty(),
                "",
                Optional.empty(),
                List.of(),
                1_000,
                Optional.empty());
        client.post(url(host), "/v1/vms", Json.MAPPER.valueToTree(spec), LIMIT_MS);
        awaitState(host, "/v1/vms/" + vmId, "RUNNING");
    }

    void remove(String host, String vmId) {
        client.delete(url(host), "/v1/vms/" + vmId, LIMIT_MS);
    }

    void awaitState(String host, String path, String state) throws InterruptedException {
        await(path + " on " + host + " to be " + state, () -> {
            try {
                return get(host, path).path("state").asText().equals(state);
            } catch (ApiError notYet) {
                return false;
            }
        });
    }

    static void await(String what, BooleanSupplier there) throws InterruptedException {
        long endNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        while (!there.getAsBoolean()) {
            if (System.nanoTime() - endNs > 0) {
                throw new IllegalStateException("waited " + LIMIT_SECONDS + " s for " + what);
            }
            Thread.sleep(20);
        }
    }

    @Override
    public void close() throws IOException, InterruptedException {
        // VMs live on when their agent ends: they are its children now, and nobody's afterwards.
        List<ProcessHandle> all = agents.values().stream()
                .flatMap(agent -> Stream.concat(agent.descendants(), Stream.of(agent.toHandle())))
                .toList();
        all.forEach(ProcessHandle::destroyForcibly);
        for (Process agent : agents.values()) {
            agent.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        }
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
