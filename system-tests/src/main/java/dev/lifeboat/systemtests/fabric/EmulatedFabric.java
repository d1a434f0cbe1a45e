// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.metadata.CloudMetadata;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.NetworkConfig;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.gateway.GatewayConfig;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.systemtests.load.LoadClient;
import dev.lifeboat.systemtests.machine.Acceleration;
import dev.lifeboat.systemtests.machine.Machine;
import dev.lifeboat.systemtests.machine.MachineException;
import dev.lifeboat.systemtests.machine.MachineSpec;
import dev.lifeboat.systemtests.machine.Overlay;
import dev.lifeboat.systemtests.net.FrameSwitch;
import dev.lifeboat.systemtests.net.PcapStats;
import dev.lifeboat.systemtests.net.SwitchPort;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The whole emulated data centre: hosts and gateway on the underlay switch; gateway and client on a switch of their
 * own, so that a recording at the client's port is what the client saw and nothing else.
 *
 * <p>Every host has its own metadata service. Closing the fabric ends every process and removes the sockets; logs and
 * recordings stay in the directory of the options.
 */
public final class EmulatedFabric implements AutoCloseable {

    /** The test credentials of the S3 server (its own module, which this one does not need at run time). */
    private static final String S3_ACCESS_KEY = "lifeboat-test";

    private static final String S3_SECRET_KEY = "lifeboat-test-secret";
    /** Of metadata services: at the usual second it would be a tenth of a software processor's time. */
    private static final int POLL_MILLIS = 2_000;

    private static final Duration BOOT_LIMIT = Duration.ofSeconds(180);
    private static final Duration READY_LIMIT = Duration.ofSeconds(300);
    private static final int GATEWAY_MEMORY_MIB = 2048;
    private static final int CLIENT_MEMORY_MIB = 896;
    private static final int VCPUS = 1;

    private final FabricOptions options;
    private final Images images;
    private final Acceleration acceleration = Acceleration.detect();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final Map<String, Machine> machines = new LinkedHashMap<>();
    private final Map<String, CloudMetadata> metadata = new LinkedHashMap<>();
    private final Map<String, SwitchPort> ports = new LinkedHashMap<>();
    private FrameSwitch underlay;
    private FrameSwitch clientSide;
    private VolumeController volumes;
    private FleetAuthority authority;
    private ApiClient api;
    private final Thread shutdownHook = new Thread(this::closeWithTheJvm, "fabric-shutdown");
    private Path sockets;
    private Path clientRecording;

    private EmulatedFabric(FabricOptions options, Images images) {
        this.options = options;
        this.images = images;
    }

    /**
     * Starts what a first VM needs, gateway and first host, and leaves them the processors: {@link #awaitFirst}, then
     * {@link #startOthers}.
     */
    public static EmulatedFabric startFirst(FabricOptions options, Images images) throws IOException {
        EmulatedFabric fabric = new EmulatedFabric(options, images);
        try {
            fabric.open();
            return fabric;
        } catch (IOException | RuntimeException e) {
            fabric.close();
            throw e;
        }
    }

    private void open() throws IOException {
        Files.createDirectories(options.logs());
        // A Unix socket's path holds 107 bytes; the logs may be anywhere, so the sockets are not beside them.
        sockets = Files.createTempDirectory("lb");
        Runtime.getRuntime().addShutdownHook(shutdownHook);
        underlay = keep(FrameSwitch.open(sockets.resolve("u")));
        clientSide = keep(FrameSwitch.open(sockets.resolve("c")));
        authority = FleetAuthority.openOrCreate(options.logs().resolve("certificates"));
        api = new ApiClient(FleetTls.read(authority.issue("harness", List.of("127.0.0.1"))));
        volumes = keep(VolumeController.start(this::runningHosts));
        startGateway();
        startNewHost(options.hosts().get(0));
    }

    /** The other hosts and the client, once. */
    public void startOthers() throws IOException {
        startOtherHosts();
        startClient();
    }

    /** Once; none where a cloud has them. */
    public void startOtherHosts() throws IOException {
        if (options.cloud().isEmpty()) {
            for (String host : options.hosts().subList(1, options.hosts().size())) {
                startNewHost(host);
            }
        }
    }

    private void startNewHost(String host) throws IOException {
        startMetadata(host);
        startHost(host);
    }

    private void startMetadata(String host) throws IOException {
        String kind = options.cloud().map(FabricOptions.CloudFleet::kind).orElse("aws");
        metadata.put(host, keep(CloudMetadata.start(kind, InstantSource.system())));
    }

    /**
     * A host of the options comes to life as a cloud's instance: it has its address and the program, and for the rest what
     * the user data makes of it.
     */
    public void launch(String host, String userData) throws IOException {
        int number = number(host);
        Overlay overlay = new Overlay()
                .text("etc/hostname", host + "\n")
                .script("lifeboat/user-data", userData)
                .script("lifeboat/start", Scripts.launchedHost(number, S3_ACCESS_KEY, S3_SECRET_KEY));
        startHostMachine(host, overlay);
    }

    /** Starts the metadata service of a host that will be launched; what its {@code agent.json} is to have besides names. */
    public ObjectNode prepareLaunch(String host) throws IOException {
        startMetadata(host);
        ObjectNode template = Json.MAPPER.createObjectNode();
        template.put("listen", "0.0.0.0:" + Topology.API_PORT)
                .put("runDirectory", "/run/lifeboat")
                .put("metadataBaseUrl", metadataUrl(host));
        template.set("network", Json.MAPPER.valueToTree(network(number(host))));
        template.set("store", Json.MAPPER.valueToTree(store()));
        options.cloud()
                .ifPresent(cloud -> template.set("metadataOptions", Json.MAPPER.valueToTree(cloud.metadataOptions())));
        return template;
    }

    /** Certificate and key, on this machine, for a role that runs beside the fabric. */
    public VmmConfig.Tls issue(String name, List<String> addresses) {
        return authority.issue(name, addresses);
    }

    /** With {@code ca.crt} and {@code ca.key}. */
    public Path certificates() {
        return options.logs().resolve("certificates");
    }

    /** How hosts and gateway call each other. */
    public String url(String name) {
        int number = name.equals("gateway") ? Topology.GATEWAY : number(name);
        return "https://" + Topology.UNDERLAY + number + ":" + Topology.API_PORT;
    }

    /** From such a URL to the one that leads there from this machine; others stay, and so do those of machines that are not up. */
    public String roadTo(String url) {
        return Stream.concat(Stream.of("gateway"), options.hosts().stream())
                .filter(name -> url(name).equals(url) && machines.containsKey(name))
                .findFirst()
                .map(name -> "https://127.0.0.1:" + machines.get(name).harnessPort(Topology.API_PORT))
                .orElse(url);
    }

    public String underlayAddress(String host) {
        return Topology.UNDERLAY + number(host);
    }

    public String gatewayUnderlayAddress() {
        return Topology.UNDERLAY + Topology.GATEWAY;
    }

    private String metadataUrl(String host) {
        return "http://" + Machine.HARNESS_ADDRESS + ":" + metadata.get(host).port();
    }

    private <T extends AutoCloseable> T keep(T resource) {
        opened.push(resource);
        return resource;
    }

    public Acceleration acceleration() {
        return acceleration;
    }

    public FrameSwitch underlay() {
        return underlay;
    }

    public FrameSwitch clientSide() {
        return clientSide;
    }

    /** {@code host-a}, ..., {@code gateway} on the underlay; {@code client} and {@code gateway-clients} beyond it. */
    public SwitchPort port(String name) {
        return ports.get(name);
    }

    /** The disks that hosts can have, one host at a time. */
    public VolumeController volumes() {
        return volumes;
    }

    private Map<String, Machine> runningHosts() {
        Map<String, Machine> running = new LinkedHashMap<>();
        options.hosts().stream()
                .filter(machines::containsKey)
                .filter(host -> machines.get(host).isAlive())
                .forEach(host -> running.put(host, machines.get(host)));
        return running;
    }

    public Machine machine(String name) {
        return machines.get(name);
    }

    /** The metadata service of a host. */
    public CloudMetadata metadata(String host) {
        return metadata.get(host);
    }

    public HostAgent agent(String host) {
        return new HostAgent(api, machines.get(host).harnessPort(Topology.API_PORT));
    }

    public LoadClient load() {
        return new LoadClient(machines.get("client").harnessPort(Topology.LOAD_CONTROL_PORT));
    }

    /** Where a guest image is on every host. */
    public static String guestFile(String guest, String file) {
        return "/lifeboat/guests/" + guest + "/" + file;
    }

    /** Address number {@code number} of the network that clients and guests share. */
    public static String guestAddress(int number) {
        return Topology.GUEST_NETWORK + number;
    }

    /** What a guest image of ours needs on its command line to be at that address. */
    public static String guestNetworkArguments(int number) {
        return "lifeboat.ip=" + guestAddress(number) + "/24 lifeboat.gw=" + guestAddress(Topology.GATEWAY)
                + " lifeboat.mtu=" + Topology.GUEST_MTU;
    }

    /** Waits until every machine has booted and every role answers. */
    public void awaitReady() throws IOException, InterruptedException {
        awaitFirst();
        awaitHealth("gateway");
        for (String host : options.hosts()) {
            awaitHealth(host);
        }
        awaitClient();
    }

    /** Waits until the first host takes VMs and the store takes their epochs. */
    public void awaitFirst() throws IOException, InterruptedException {
        awaitBoot("gateway");
        if (options.store() == StoreKind.S3) {
            machines.get("gateway").awaitLog("S3 server ready", READY_LIMIT);
        }
        awaitBoot(options.hosts().get(0));
        awaitHealth(options.hosts().get(0));
    }

    public void awaitClient() throws IOException, InterruptedException {
        awaitBoot("client");
        machines.get("client").awaitLog("lifeboat-machine: client ready", BOOT_LIMIT);
    }

    private void awaitBoot(String name) throws IOException, InterruptedException {
        machines.get(name).awaitLog("lifeboat-host: up", BOOT_LIMIT);
    }

    /** Waits until the API of a host or the gateway answers. */
    public void awaitHealth(String name) throws IOException, InterruptedException {
        Machine machine = machines.get(name);
        HostAgent agent = agent(name);
        long deadlineNs = System.nanoTime() + READY_LIMIT.toNanos();
        while (true) {
            try {
                agent.health();
                return;
            } catch (ControlException e) {
                if (!machine.isAlive()) {
                    throw new MachineException("machine " + name + " has ended; see " + machine.consoleLog(), e);
                }
                if (System.nanoTime() - deadlineNs > 0) {
                    throw new MachineException(
                            name + " does not answer within " + READY_LIMIT.toSeconds() + " s: " + e.getMessage()
                                    + "; see " + machine.consoleLog(),
                            e);
                }
            }
            // Each try is a TLS handshake, which costs the machine seconds of its processor while it starts.
            Thread.sleep(1_000);
        }
    }

    /** Starts the load client; it runs until {@link LoadClient#finish}. */
    public void startLoad(String redisAddress, String... more) throws IOException {
        machines.get("client")
                .exec(
                        "setsid java dev.lifeboat.systemtests.load.RedisLoad " + redisAddress + " 6379 --control "
                                + Topology.LOAD_CONTROL_PORT + " " + String.join(" ", more)
                                + " >/dev/console 2>&1 &",
                        Duration.ofSeconds(20))
                .orThrow("the start of the load client");
    }

    /** What the client machine has sent and got so far. */
    public PcapStats clientTraffic() throws IOException {
        flushClientRecording();
        return PcapStats.of(clientRecording);
    }

    /** The part of it from or to one guest. */
    public PcapStats clientTraffic(String guestAddress) throws IOException {
        flushClientRecording();
        return PcapStats.ofHost(clientRecording, InetAddress.getByName(guestAddress));
    }

    private void flushClientRecording() throws IOException {
        long omitted = clientSide.flushRecording(ports.get("client"));
        if (omitted > 0) {
            throw new IOException("the recording of the client is full, " + omitted + " frames are not in it");
        }
    }

    /** Ends a host as the cloud does: at once. */
    public void powerOff(String host) throws IOException {
        machines.get(host).powerOff();
    }

    /** A powered-off host comes back with nothing but its image, at its old place in the network. */
    public void startAgain(String host) throws IOException {
        if (machines.get(host).isAlive()) {
            throw new MachineException("host " + host + " is running");
        }
        machines.get(host).close();
        startHost(host);
    }

    private int number(String host) {
        return Topology.FIRST_HOST + options.hosts().indexOf(host);
    }

    private void startHost(String host) throws IOException {
        int number = number(host);
        Overlay overlay = overlay(host, number);
        List<AgentConfig.Peer> peers = options.hosts().stream()
                .filter(peer -> !peer.equals(host) && options.cloud().isEmpty())
                .map(peer -> new AgentConfig.Peer(
                        peer,
                        "https://" + underlayAddress(peer) + ":" + Topology.API_PORT,
                        Optional.of(underlayAddress(peer))))
                .toList();
        String gateway = Topology.UNDERLAY + Topology.GATEWAY;
        AgentConfig config = new AgentConfig(
                host,
                "0.0.0.0:" + Topology.API_PORT,
                Optional.of(underlayAddress(host)),
                machineTls(host),
                peers,
                Optional.of(new AgentConfig.GatewayAt(
                        "https://" + gateway + ":" + Topology.API_PORT, Optional.of(gateway))),
                Optional.of(network(number)),
                Optional.of(store()),
                // Without a cloud to recognise: EC2, as if there were no other.
                Optional.of(metadataUrl(host)).filter(url -> options.cloud().isEmpty()),
                Optional.of(POLL_MILLIS),
                "/run/lifeboat",
                Optional.empty(),
                List.of(),
                Optional.empty(),
                Optional.of("http://" + Machine.HARNESS_ADDRESS + ":" + volumes.port()),
                options.cloud().map(FabricOptions.CloudFleet::controllerUrl),
                Optional.empty(),
                options.cloud().map(cloud -> metadataUrl(host)),
                options.cloud().map(FabricOptions.CloudFleet::metadataOptions).orElse(Map.of()),
                Optional.empty());
        overlay.text("lifeboat/agent.json", Json.MAPPER.writeValueAsString(config));
        for (String guest : options.guests()) {
            overlay.copy(guestFile(guest, "vmlinuz"), images.guestKernel(guest))
                    .copy(guestFile(guest, "initrd"), images.guestInitrd(guest));
            Optional<Path> disk = images.guestDisk(guest);
            // The other hosts shall get a base image from the store.
            if (disk.isPresent() && number == Topology.FIRST_HOST) {
                overlay.copy(guestFile(guest, "disk.img"), disk.get());
            }
        }
        overlay.script("lifeboat/start", Scripts.host(number, S3_ACCESS_KEY, S3_SECRET_KEY, options.store()));
        startHostMachine(host, overlay);
    }

    private void startHostMachine(String host, Overlay overlay) throws IOException {
        int number = number(host);
        SwitchPort port = port(underlay, host, host);
        start(
                host,
                overlay,
                options.hostMemoryMib(),
                Map.of(Topology.underlayMac(number), port.socket()),
                Topology.managementMac(number),
                List.of(Topology.API_PORT));
    }

    private void startGateway() throws IOException {
        Overlay overlay = overlay("gateway", Topology.GATEWAY);
        GatewayConfig config = new GatewayConfig(
                "gateway",
                "0.0.0.0:" + Topology.API_PORT,
                machineTls("gateway"),
                network(Topology.GATEWAY),
                options.hosts().stream().map(this::underlayAddress).toList(),
                List.of("@CLIENTS@"));
        overlay.text("lifeboat/gateway.json", Json.MAPPER.writeValueAsString(config));
        if (options.store() == StoreKind.S3) {
            Path server = images.s3Server();
            overlay.copyDirectory("s3-server", server).copyDirectory("s3-server/lib", server.resolve("lib"));
        }
        String hostAddresses =
                options.hosts().stream().map(this::underlayAddress).collect(Collectors.joining(" "));
        overlay.script("lifeboat/start", Scripts.gateway(options.store(), hostAddresses));
        Map<String, Path> nics = new LinkedHashMap<>();
        nics.put(
                Topology.underlayMac(Topology.GATEWAY),
                port(underlay, "gateway", "gateway").socket());
        nics.put(
                Topology.clientSideMac(Topology.GATEWAY),
                port(clientSide, "gateway-clients", "gateway").socket());
        start(
                "gateway",
                overlay,
                GATEWAY_MEMORY_MIB,
                nics,
                Topology.managementMac(Topology.GATEWAY),
                List.of(Topology.API_PORT));
    }

    /** Once. */
    public void startClient() throws IOException {
        Overlay overlay = new Overlay().text("etc/hostname", "client\n").script("lifeboat/start", Scripts.client());
        SwitchPort port = port(clientSide, "client", "client");
        clientRecording = clientSide.record(port);
        start(
                "client",
                overlay,
                CLIENT_MEMORY_MIB,
                Map.of(Topology.clientSideMac(Topology.CLIENT), port.socket()),
                Topology.managementMac(Topology.CLIENT),
                List.of(Topology.LOAD_CONTROL_PORT));
    }

    private SwitchPort port(FrameSwitch frameSwitch, String key, String name) throws IOException {
        SwitchPort standing = ports.get(key);
        if (standing == null) {
            standing = frameSwitch.addPort(name);
            ports.put(key, standing);
        }
        return standing;
    }

    private void start(
            String name,
            Overlay overlay,
            int memoryMib,
            Map<String, Path> nics,
            String managementMac,
            List<Integer> forwarded)
            throws IOException {
        Path archive = options.logs().resolve(name + ".overlay.cpio");
        overlay.write(archive);
        MachineSpec spec = new MachineSpec(
                name,
                VCPUS,
                memoryMib,
                images.hostKernel(),
                images.hostInitrd(),
                archive,
                nics,
                managementMac,
                forwarded,
                options.maxLife());
        machines.put(name, keep(Machine.start(spec, acceleration, options.logs(), sockets)));
    }

    private Overlay overlay(String name, int number) throws IOException {
        Path directory = options.logs().resolve("certificates");
        authority.issue(name, List.of("127.0.0.1", Topology.UNDERLAY + number));
        return new Overlay()
                .text("etc/hostname", name + "\n")
                .copy("lifeboat/tls/ca.crt", directory.resolve("ca.crt"))
                .copy("lifeboat/tls/" + name + ".crt", directory.resolve(name + ".crt"))
                .copy("lifeboat/tls/" + name + ".key", directory.resolve(name + ".key"));
    }

    private static VmmConfig.Tls machineTls(String name) {
        return new VmmConfig.Tls(
                "/lifeboat/tls/ca.crt", "/lifeboat/tls/" + name + ".crt", "/lifeboat/tls/" + name + ".key");
    }

    private static NetworkConfig network(int number) {
        return new NetworkConfig(
                Topology.UNDERLAY + number,
                Topology.VNI,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(Topology.GUEST_MTU));
    }

    private VmmConfig.Store store() {
        return switch (options.store()) {
            case S3 ->
                new VmmConfig.Store(
                        "s3://" + Topology.BUCKET + "/fleet",
                        Optional.of("http://" + Topology.UNDERLAY + Topology.GATEWAY + ":" + Topology.S3_PORT),
                        Optional.of("us-east-1"));
            case DIR -> new VmmConfig.Store("dir:/store", Optional.empty(), Optional.empty());
        };
    }

    /**
     * Saves what the machines that still run know: agents' events, logs of their VMs, guests' consoles, network state.
     * Goes on when a machine does not answer, and says so in the file.
     */
    public Path collect() throws IOException {
        for (Map.Entry<String, Machine> entry : machines.entrySet()) {
            if (entry.getValue().isAlive()) {
                collect(entry.getKey());
            }
        }
        Files.write(options.logs().resolve("switch.txt"), underlay.describe());
        for (Map.Entry<FrameSwitch, String> recorded :
                Map.of(clientSide, "client").entrySet()) {
            recorded.getKey().flushRecording(ports.get(recorded.getValue()));
        }
        return options.logs();
    }

    /** The logs of one machine; to be called before a machine is powered off, for its memory holds them. */
    public void collect(String name) throws IOException {
        String command = "ip addr; ip neigh; bridge fdb show 2>/dev/null; ps -ef 2>/dev/null || ps;"
                + " dmesg | tail -40;"
                + " for f in /run/lifeboat/vms/*/*.log; do [ -e $f ] && echo \"=== $f\" && tail -c 60000 $f; done";
        String text;
        try {
            text = machines.get(name).exec(command, Duration.ofSeconds(15)).output();
        } catch (IOException e) {
            text = "the machine's shell did not answer: " + e.getMessage();
        }
        Files.writeString(options.logs().resolve(name + ".state.txt"), text + "\n");
        if (options.hosts().contains(name)) {
            List<String> events = new ArrayList<>();
            try {
                for (JsonNode event : agent(name).events(0)) {
                    events.add(event.toString());
                }
            } catch (ControlException e) {
                events.add("the agent did not answer: " + e.getMessage());
            }
            Files.write(options.logs().resolve(name + ".events.jsonl"), events);
        }
    }

    @Override
    public synchronized void close() throws IOException {
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            // The JVM is going down already; this is its hook.
        }
        IOException failure = null;
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                if (failure == null) {
                    failure = new IOException("a part of the fabric did not close: " + e.getMessage(), e);
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        keepRecordings();
        if (failure != null) {
            throw failure;
        }
    }

    /** Ctrl-C and SIGTERM: nothing but the logs is left behind. */
    private void closeWithTheJvm() {
        try {
            close();
        } catch (IOException e) {
            System.err.println("lifeboat: " + e.getMessage());
        }
    }

    private void keepRecordings() throws IOException {
        if (sockets == null || !Files.exists(sockets)) {
            return;
        }
        List<Path> left;
        try (Stream<Path> walk = Files.walk(sockets)) {
            left = walk.sorted(java.util.Comparator.reverseOrder()).toList();
        }
        for (Path path : left) {
            if (path.toString().endsWith(".pcap")) {
                Files.copy(
                        path,
                        options.logs().resolve(path.getFileName()),
                        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            }
            Files.delete(path);
        }
    }
}
