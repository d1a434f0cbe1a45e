// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.LogSetup;
import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudLibraries;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMover;
import dev.lifeboat.net.address.AddressMoves;
import dev.lifeboat.net.address.AddressWish;
import dev.lifeboat.net.address.MoveRecord;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/**
 * The controller role, without the HTTPS around it ({@link ControllerApi}). Threads: {@code controller} makes everything due
 * once a second, {@code cloud-N} call the cloud, {@code host-N} the agents, {@code addresses} moves addresses,
 * {@code cloud-warm-up} ends soon.
 */
public final class Controller implements AutoCloseable {
    private static final long ROUND_MS = 1_000;
    private static final int CLOUD_THREADS = 8;
    private static final int QUEUED = 256;
    private static final int PROBE_LIMIT_MS = 2_000;
    private static final long ORPHAN_CALL_LIMIT_MS = 5_000;

    private final ControllerConfig config;
    private final Optional<Cloud> cloud;
    private final Events events = new Events();
    private final ApiClient client;
    private final EnrolmentTokens tokens;
    private final BootstrapScript script;
    private final TargetPlanner planner;
    private final AddressBook addressBook;
    private final HostWatch watch;
    private final FleetVolumes volumes;
    private final FleetSignals signals;
    private final ControllerApi api;
    private final ThreadPoolExecutor cloudThreads = pool("cloud-", CLOUD_THREADS);
    private final ThreadPoolExecutor addressThread = pool("addresses", 1);
    private final Thread rounds = new Thread(this::rounds, "controller");

    /** @param cloud closed with this; empty when the configuration names none */
    public Controller(ControllerConfig config, Optional<Cloud> cloud) throws InterruptedException {
        this(config, cloud, UnaryOperator.identity());
    }

    /** @param road to agents and gateway where it is not by their own URLs, see {@link ApiClient#patient} */
    public Controller(ControllerConfig config, Optional<Cloud> cloud, UnaryOperator<String> road)
            throws InterruptedException {
        this.config = config;
        this.cloud = cloud;
        Path state = Path.of(config.stateDirectory()).toAbsolutePath();
        FleetTls tls = FleetTls.read(config.tls());
        client = ApiClient.patient(tls, road);
        JsonJournal<HostRecord> purchases = new JsonJournal<>(state.resolve("hosts"), HostRecord.class);
        tokens = EnrolmentTokens.open(state.resolve("enrolment.key"));
        FleetAuthority authority = FleetAuthority.openOrCreate(Path.of(config.authorityDirectory()));
        Optional<ProgramArchive> program = config.program().isPresent()
                ? Optional.of(ProgramArchive.of(Path.of(config.program().get()), state))
                : Optional.empty();
        script = new BootstrapScript(config.enrollUrl(), authority.certificate(), program);
        planner = new TargetPlanner(
                cloud.map(Cloud::market).orElseGet(NoMarket::new),
                purchases,
                config.planner(),
                InstantSource.system(),
                cloudThreads,
                events,
                this::script,
                this::isInUse);
        AddressMover mover = cloud.map(Cloud::addresses).orElse(wish -> {
            throw new NetworkException("controller.json has no \"cloud\" that could move " + wish.address(), null);
        });
        addressBook = new AddressBook(
                config.addresses(),
                new JsonJournal<>(state.resolve("places"), AddressBook.Place.class),
                new AddressMoves(
                        AddressBook.log(new JsonJournal<>(state.resolve("moves"), MoveRecord.class)),
                        mover,
                        this::leadsToTarget),
                this::instance,
                planner::target,
                events);
        volumes = new FleetVolumes(cloud.map(Cloud::volumes), this::instance, events);
        signals = new FleetSignals(Clocks.SYSTEM, this::instance, events, this::tellHosts);
        watch = new HostWatch(config, planner, client, events, this::heard, signals::of);
        Enrolments enrolments =
                new Enrolments(tokens, planner, authority, config, watch::peersOf, InstantSource.system());
        api = new ControllerApi(this, enrolments, config, tls, program);
    }

    /** Reads {@code controller.json} and runs until the process is told to end. */
    public static void run(Path configFile) throws InterruptedException {
        LogSetup.informByDefault();
        ControllerConfig config = read(configFile);
        Optional<Cloud> cloud = config.cloud().map(Controller::open);
        Controller controller = new Controller(config, cloud);
        Runtime.getRuntime().addShutdownHook(new Thread(controller::close, "controller-shutdown"));
        controller.start();
        Thread.currentThread().join();
    }

    /** For commands that need no running controller. */
    public static ControllerConfig read(Path configFile) {
        try {
            return Json.readFile(configFile, ControllerConfig.class);
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
    }

    /** @throws ControlException in the cloud's words, of the exit code that fits */
    public static Cloud open(ControllerConfig.CloudSection section) {
        try {
            return CloudLibraries.open(section.settings());
        } catch (CloudException e) {
            throw explain(e);
        }
    }

    public static ControlException explain(CloudException e) {
        int code = switch (e.kind()) {
            case INVALID -> ExitCode.USAGE;
            case DENIED -> ExitCode.NOT_TRUSTED;
            case NOT_FOUND -> ExitCode.NOT_FOUND;
            case UNAVAILABLE -> ExitCode.UNREACHABLE;
            default -> ExitCode.FAILED;
        };
        return new ControlException(code, e.getMessage(), e);
    }

    public void start() {
        cloud.ifPresent(some -> {
            Thread warmUp = new Thread(() -> warmUp(some), "cloud-warm-up");
            warmUp.setDaemon(true);
            warmUp.start();
            signals.start(some.sources());
        });
        api.start();
        onAddressThread(addressBook::recover);
        rounds.setDaemon(true);
        rounds.start();
        events.add(
                "controller-started",
                "",
                config.host() + ", " + planner.allHosts().size() + " hosts in the journal");
    }

    /** Stops the controller; hosts and VMs stay as they are. */
    @Override
    public void close() {
        rounds.interrupt();
        signals.close();
        api.close();
        watch.close();
        cloudThreads.shutdownNow();
        addressThread.shutdownNow();
        cloud.ifPresent(Cloud::close);
    }

    public int port() {
        return api.port();
    }

    public int enrollPort() {
        return api.enrollPort();
    }

    Events events() {
        return events;
    }

    TargetPlanner planner() {
        return planner;
    }

    FleetVolumes volumes() {
        return volumes;
    }

    /** Of an agent. The zone of its volume is asked of the cloud once. */
    TargetView wish(String vmId, VmWish wish) {
        return planner.wish(
                vmId,
                wish.volume().isEmpty()
                        ? wish
                        : wish.in(
                                wish.zone().or(() -> volumes.zone(wish.volume().get()))));
    }

    List<MoveRecord> moves() {
        return addressBook.open();
    }

    boolean answers(String host) {
        return watch.answers(host);
    }

    ObjectNode health() {
        ObjectNode health = Json.MAPPER.createObjectNode();
        health.put("role", "controller").put("host", config.host()).put("atMillis", System.currentTimeMillis());
        health.put("fleet", config.fleet());
        health.put("cloud", cloud.map(some -> some.kind().word()).orElse(""));
        health.put("hosts", planner.allHosts().size());
        return health;
    }

    /** What a host runs at its first boot, with its one-time token. */
    String script(HostRecord host) {
        return script.text(tokens.of(host.token()));
    }

    /** An agent says at once what it would say in the next round. */
    void arrived(String vmId, String host, long term) {
        onAddressThread(() -> addressBook.seen(vmId, host, term));
    }

    private void heard(String host, JsonNode health) {
        planner.heard(
                host, health.path("vms").asInt(), health.path("vmMemoryMiB").asInt(), health.hasNonNull("notice"));
        for (JsonNode vm : health.path("running")) {
            String vmId = vm.path("vmId").asText();
            long term = vm.path("term").asLong();
            onAddressThread(() -> addressBook.seen(vmId, host, term));
        }
    }

    private void tellHosts() {
        watch.round();
    }

    private void rounds() {
        try {
            while (true) {
                try {
                    watch.round();
                    planner.step();
                    onAddressThread(addressBook::step);
                } catch (ControlException e) {
                    // The journal cannot be written: nothing is bought or moved meanwhile, and this is said each round.
                    events.add("controller-failed", "", e.getMessage());
                }
                Thread.sleep(ROUND_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void onAddressThread(Runnable job) {
        if (config.addresses().isEmpty()) {
            return;
        }
        try {
            addressThread.execute(() -> {
                try {
                    job.run();
                } catch (RuntimeException e) {
                    events.add("address-failed", "", String.valueOf(e.getMessage()));
                }
            });
        } catch (RejectedExecutionException full) {
            // All that is queued here is said again a second later.
            events.add("address-failed", "", "the cloud is slow; " + QUEUED + " steps wait for it");
        }
    }

    private void warmUp(Cloud some) {
        try {
            some.warmUp();
        } catch (CloudException e) {
            events.add("cloud-failed", "", "the warm-up: " + e.getMessage());
        }
    }

    private Optional<String> instance(String host) {
        Optional<String> fixed = config.hosts().stream()
                .filter(one -> one.host().equals(host))
                .findFirst()
                .flatMap(ControllerConfig.FixedHost::instance);
        return fixed.or(() -> planner.allHosts().stream()
                .filter(one -> one.name().equals(host) && !one.instanceId().isEmpty())
                .map(HostRecord::instanceId)
                .findFirst());
    }

    /** On a thread {@code cloud-N}. In doubt it is in use. */
    private boolean isInUse(TargetMarket.Instance instance) {
        if (config.hosts().stream()
                .anyMatch(host -> host.instance().filter(instance.id()::equals).isPresent()
                        || host.underlayAddress()
                                .filter(instance.address()::equals)
                                .isPresent())) {
            return true;
        }
        if (instance.address().isEmpty()) {
            return false;
        }
        String listen = config.agent().path("listen").asText("0.0.0.0:7443");
        String url = "https://" + instance.address() + listen.substring(listen.lastIndexOf(':'));
        try {
            client.get(url, "/v1/health", ORPHAN_CALL_LIMIT_MS);
            return true;
        } catch (ApiError answers) {
            return true;
        } catch (ControlException silent) {
            // VMs outlive their agent; the gateway knows where they are.
        }
        if (config.gateway().isEmpty()) {
            return false;
        }
        try {
            JsonNode flows = client.get(config.gateway().get().url(), "/v1/flows", ORPHAN_CALL_LIMIT_MS);
            for (JsonNode vtep : flows) {
                if (vtep.asText().equals(instance.address())) {
                    return true;
                }
            }
            return false;
        } catch (ApiError | ControlException unknown) {
            return true;
        }
    }

    private boolean leadsToTarget(AddressWish wish) {
        Optional<Integer> port = config.addresses().stream()
                .filter(address -> address.address().equals(wish.address()))
                .findFirst()
                .flatMap(ControllerConfig.VmAddress::probePort);
        if (port.isEmpty()) {
            return true;
        }
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(wish.address(), port.get()), PROBE_LIMIT_MS);
            return true;
        } catch (IOException notYet) {
            return false;
        }
    }

    private static ThreadPoolExecutor pool(String name, int threads) {
        AtomicInteger number = new AtomicInteger();
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                threads, threads, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUED), task -> {
                    Thread thread = new Thread(task, threads == 1 ? name : name + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }
}
