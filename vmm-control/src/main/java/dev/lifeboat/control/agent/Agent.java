// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.LogSetup;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalMessage;
import dev.lifeboat.control.host.KvmDevice;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.control.volume.ControllerVolumeMover;
import dev.lifeboat.control.volume.HostVolumes;
import dev.lifeboat.control.volume.LinuxHostDisks;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The agent of one host: what it does, without the HTTPS around it ({@link AgentApi}). Threads: those of
 * {@link SignalWatch}, {@code peer-keepalive}, {@code receiver-limit}, {@code spare-vmm}, one {@code vm-watch-ID} a VM, one {@code evacuate-ID} a move, one
 * {@code arrive-ID} a VM that has come up. VMs are processes of their own and outlive the agent.
 */
public final class Agent implements AutoCloseable {
    /** Time for a move that a user asks for without naming a deadline. */
    static final long DEFAULT_DEADLINE_MS = 600_000;

    /** A JVM's start on a slow target, and its first connections. */
    private static final long LEAST_RECEIVING_LIMIT_MS = 90_000;

    private static final long MOST_RECEIVING_LIMIT_MS = 1_800_000;
    /** A receiver that got no owner may have to find out in the store that it lost; then it is ended. */
    private static final long RECEIVER_GRACE_MS = 30_000;

    private static final Set<String> CAN_MOVE = Set.of(VmRun.RUNNING, VmRun.PAUSED, VmRun.EVACUATING);

    private static final long FLOW_LIMIT_MS = 60_000;
    private static final long FLOW_RETRY_MS = 250;
    /** To attach or detach a volume, when no evacuation waits for it. */
    private static final long VOLUME_LIMIT_MS = 90_000;

    private final AgentConfig config;
    private final Events events = new Events();
    private final ApiClient client;
    private final GuestNetwork network;
    private final HostVolumes volumes;
    private final VmSupervisor supervisor;
    private final Peers peers;
    private final PeerKeepalive keepalive;
    private final ControllerLink controller;
    private final Path hookLogs;
    private final SignalWatch signalWatch;
    private final SignalReactions reactions;
    private final VmStreamingRate rateOfVmms;
    private final AgentApi api;
    private final Map<String, Evacuation> evacuations = new ConcurrentHashMap<>();
    private final EvacuationTurns turns = new EvacuationTurns();
    private final Map<String, VmSpec> plans = new ConcurrentHashMap<>();
    private final Map<VmRun, Long> receiversUntilMillis = new ConcurrentHashMap<>();
    private final Thread receiverLimit = new Thread(this::limitReceivers, "receiver-limit");

    public Agent(AgentConfig config, VmmLauncher launcher, GuestNetwork network, Path kvmDevice) {
        this(config, launcher, network, kvmDevice, Optional.empty(), Optional.empty(), Optional.empty());
    }

    /**
     * @param volumes moves the volumes of VMs whose stores are on one; those of the configuration unless given
     * @param warmer makes targets ready when a signal asks for it; the controller, if there is one, unless given
     * @param rate streams more often when a signal asks for it; the VM's own process unless given
     */
    public Agent(
            AgentConfig config,
            VmmLauncher launcher,
            GuestNetwork network,
            Path kvmDevice,
            Optional<HostVolumes> volumes,
            Optional<TargetWarmer> warmer,
            Optional<StreamingRate> rate) {
        this.config = config;
        this.network = network;
        FleetTls tls = FleetTls.read(config.tls());
        client = ApiClient.patient(tls);
        this.volumes = volumes.orElseGet(() -> new HostVolumes(
                config.volumeController().map(url -> new ControllerVolumeMover(url, config.host(), client)),
                new LinuxHostDisks()));
        supervisor = new VmSupervisor(config, launcher, network, kvmDevice, this::spareAllowed, this::onState);
        peers = new Peers(config);
        hookLogs = Path.of(config.runDirectory(), "hooks").toAbsolutePath();
        keepalive = new PeerKeepalive(config, peers, client, supervisor::all, events);
        controller = new ControllerLink(
                config,
                client,
                supervisor::all,
                vmId -> supervisor.find(vmId).filter(run -> !run.isOver()).map(VmRun::spec),
                events);
        signalWatch = new SignalWatch(config, events, supervisor::isEmpty, this::onSignal, this::onSignalWithdrawn);
        rateOfVmms = new VmStreamingRate(supervisor::find, events);
        TargetWarmer byController = config.controller().isPresent() ? warmer() : TargetWarmer.NONE;
        reactions = new SignalReactions(
                config,
                events,
                signalWatch::cloud,
                warmer.orElse(byController),
                rate.orElse(rateOfVmms),
                this::evacuateByNotice);
        api = new AgentApi(this, config.listen(), tls);
    }

    /** Reads {@code agent.json} and runs until the process is told to end. */
    public static void run(Path configFile) throws InterruptedException {
        run(configFile, Optional.empty(), Optional.empty());
    }

    /**
     * @param cloud in place of the configured one
     * @param metadataUrl in place of the configured one
     */
    public static void run(Path configFile, Optional<String> cloud, Optional<String> metadataUrl)
            throws InterruptedException {
        LogSetup.informByDefault();
        AgentConfig config;
        try {
            config = Json.readFile(configFile, AgentConfig.class).listeningTo(cloud, metadataUrl);
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
        try {
            GuestNetwork network = config.network().isPresent() ? new LinuxGuestNetwork(config) : GuestNetwork.NONE;
            Agent agent = new Agent(
                    config, new VmmLauncher(VmmLauncher.VMM_MAIN, config.vmmJvmFlags()), network, KvmDevice.PATH);
            Runtime.getRuntime().addShutdownHook(new Thread(agent::close, "agent-shutdown"));
            agent.start();
        } catch (NetworkException e) {
            throw new ControlException(ExitCode.MISSING, e.getMessage(), e);
        }
        Thread.currentThread().join();
    }

    public void start() {
        // Before any signal can be heard.
        reactions.refreshRules();
        network.ensureFabric();
        int adopted = supervisor.adopt();
        api.start();
        keepalive.start();
        controller.start();
        signalWatch.start();
        receiverLimit.setDaemon(true);
        receiverLimit.start();
        supervisor.keepSpare();
        events.add(
                "agent-started",
                "",
                config.host() + " listens on port " + api.port() + ", " + adopted + " VMs adopted");
    }

    /** Stops the agent, not its VMs. */
    @Override
    public void close() {
        signalWatch.close();
        rateOfVmms.close();
        keepalive.close();
        controller.close();
        receiverLimit.interrupt();
        api.close();
        supervisor.close();
        network.close();
    }

    public int port() {
        return api.port();
    }

    Events events() {
        return events;
    }

    /** Asks the controller for targets ahead of need; without a controller nothing but an event. */
    TargetWarmer warmer() {
        return controller;
    }

    VmSupervisor vms() {
        return supervisor;
    }

    ObjectNode health() {
        ObjectNode health = Json.MAPPER.createObjectNode();
        health.put("role", "agent").put("host", config.host()).put("atMillis", System.currentTimeMillis());
        health.put("spareVmm", supervisor.hasSpare());
        ArrayNode running = health.putArray("running");
        int vms = 0;
        int memoryMiB = 0;
        for (VmRun run : supervisor.all()) {
            if (!run.isOver()) {
                vms++;
                memoryMiB += run.spec().memoryMiB();
                // While it is sent away it is still ours; one that is arriving is not yet.
                if (CAN_MOVE.contains(run.state())) {
                    running.addObject().put("vmId", run.spec().vmId()).put("term", run.term());
                }
            }
        }
        health.put("vms", vms).put("vmMemoryMiB", memoryMiB);
        signalWatch.cloud().ifPresent(cloud -> health.put("cloud", cloud.word()));
        signalWatch.notice().ifPresent(notice -> health.set("notice", signalWatch.describe(notice)));
        return health;
    }

    ObjectNode boot(VmSpec spec) throws InterruptedException {
        refuseWhenLeaving();
        takeVolumeOf(spec, true);
        return started(supervisor.start(spec, VmmConfig.Mode.BOOT), "vm-started");
    }

    /** Brings a VM up from the store; its description is the user's, or the one its last host left with us. */
    ObjectNode restore(String vmId, Optional<VmSpec> given, Optional<String> storeKey) throws InterruptedException {
        refuseWhenLeaving();
        VmSpec spec = given.or(() -> Optional.ofNullable(plans.get(vmId)))
                .or(() -> supervisor.find(vmId).map(VmRun::spec))
                .orElseThrow(() -> new ControlException(
                        ExitCode.NOT_FOUND,
                        "host " + config.host() + " has no description of VM " + vmId
                                + "; restore it on a peer of its last host, or give one with --spec FILE"));
        if (!spec.vmId().equals(vmId)) {
            throw new ApiError(400, "the description is of " + spec.vmId() + ", not of " + vmId);
        }
        passGate(spec, "", DEFAULT_DEADLINE_MS);
        takeVolumeOf(spec, false);
        return started(supervisor.start(spec.withStoreKey(storeKey), VmmConfig.Mode.RESTORE), "vm-restoring");
    }

    /** Before its VM starts here. A blank volume is formatted for a new VM only. */
    private void takeVolumeOf(VmSpec spec, boolean isNew) throws InterruptedException {
        if (spec.volume().isEmpty()) {
            return;
        }
        VmmConfig.Volume volume = spec.volume().get();
        for (VmRun run : supervisor.all()) {
            boolean same = run.spec().volume().stream()
                    .anyMatch(other -> other.id().equals(volume.id())
                            || Path.of(other.mountPoint()).equals(Path.of(volume.mountPoint())));
            if (same && !run.isOver()) {
                throw new ControlException(
                        ExitCode.FAILED,
                        "volume " + volume.id() + " at " + volume.mountPoint() + " is in use by VM "
                                + run.spec().vmId() + " on host " + config.host()
                                + ": a volume serves one VM, and each needs a mount point of its own");
            }
        }
        try {
            volumes.take(volume, isNew && volume.format(), VOLUME_LIMIT_MS);
        } catch (ControlException e) {
            // One that is not to be used here stays free for where it belongs.
            try {
                volumes.give(volume, () -> isInUse(volume, Optional.empty()), VOLUME_LIMIT_MS);
            } catch (ControlException also) {
                e.addSuppressed(also);
            }
            throw e;
        }
        events.add("volume-taken", spec.vmId(), volume.id() + " is at " + volume.mountPoint());
    }

    /** The volume of a VM that is on its way here, or has come without it. */
    JsonNode takeVolume(String vmId, long limitMs) throws InterruptedException {
        VmRun run = supervisor.require(vmId);
        VmmConfig.Volume volume = run.spec()
                .volume()
                .orElseThrow(() -> new ApiError(400, "the store of VM " + vmId + " is not on a volume"));
        if (run.isOver()) {
            throw new ApiError(409, "VM " + vmId + " is over on host " + config.host() + " and needs no volume");
        }
        volumes.take(volume, false, limitMs);
        JsonNode status = run.call("take-store", limitMs);
        events.add("volume-taken", vmId, volume.id() + " is at " + volume.mountPoint());
        return status;
    }

    /** The source keeps its VM and wants the volume back. */
    ObjectNode giveVolume(String vmId, VmmConfig.Volume volume, long limitMs) throws InterruptedException {
        Optional<VmRun> run = supervisor.find(vmId);
        if (run.isPresent() && !run.get().isOver()) {
            // A receiver that became the owner says so here, and keeps what it has.
            remove(vmId, true);
        } else if (run.isPresent()) {
            run.get().awaitEnd(limitMs / 2);
        }
        if (isInUse(volume, Optional.empty())) {
            throw new ApiError(409, "volume " + volume.id() + " is in use on host " + config.host());
        }
        volumes.give(volume, () -> isInUse(volume, Optional.empty()), limitMs);
        events.add("volume-given", vmId, volume.id() + " is not on this host any more");
        return Json.MAPPER.createObjectNode().put("volume", volume.id());
    }

    /** @param but not by this run */
    private boolean isInUse(VmmConfig.Volume volume, Optional<VmRun> but) {
        return supervisor.all().stream()
                .filter(run -> but.isEmpty() || run != but.get())
                .anyMatch(run -> !run.ended()
                        && run.spec().volume().stream()
                                .anyMatch(other -> other.id().equals(volume.id())));
    }

    /** Its process is gone: whoever starts the VM next, here or elsewhere, takes its volume. */
    private void letVolumeGo(VmRun run) {
        VmmConfig.Volume volume = run.spec().volume().orElseThrow();
        try {
            volumes.give(volume, () -> isInUse(volume, Optional.of(run)), VOLUME_LIMIT_MS);
        } catch (ControlException e) {
            events.add("volume-failed", run.spec().vmId(), e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A peer wants to send a VM here: starts the receiver and says where it listens. */
    ObjectNode prepare(VmSpec spec, String source, long deadlineMillis) throws InterruptedException {
        refuseWhenLeaving();
        events.add("receive-asked", spec.vmId(), "by " + source);
        passGate(spec, source, deadlineMillis - System.currentTimeMillis());
        VmRun run = supervisor.start(spec, VmmConfig.Mode.RECEIVE);
        receiversUntilMillis.put(run, Math.max(deadlineMillis, System.currentTimeMillis()) + RECEIVER_GRACE_MS);
        long limitMs = receivingLimitMs(deadlineMillis - System.currentTimeMillis());
        String state = run.await(VmRun.RECEIVING::equals, limitMs);
        JsonNode status = run.describe();
        if (!state.equals(VmRun.RECEIVING) || !status.hasNonNull("receivePort")) {
            String reason = run.isOver() ? run.endedBecause() : "not ready within " + limitMs + " ms";
            receiversUntilMillis.remove(run);
            supervisor.removeFailedReceiver(run);
            throw new ControlException(
                    ExitCode.FAILED,
                    "host " + config.host() + " cannot receive: " + reason + "; the receiver's log there: "
                            + VmRun.log(run.directory()));
        }
        events.add(
                "receive-ready",
                spec.vmId(),
                "port " + status.get("receivePort").asInt());
        return Json.MAPPER
                .createObjectNode()
                .put("host", config.host())
                .put("address", config.receiveAddress())
                .put("port", status.get("receivePort").asInt())
                .put("log", VmRun.log(run.directory()).toString());
    }

    /**
     * How long a target may take to be ready to receive: a base image that it does not have yet can take minutes. And half of
     * the time that is left at most, for there may be another target.
     */
    static long receivingLimitMs(long leftMs) {
        return Math.min(MOST_RECEIVING_LIMIT_MS, Math.max(LEAST_RECEIVING_LIMIT_MS, leftMs / 2));
    }

    /**
     * Starts to move a VM away.
     *
     * @param wanted the only target to try; empty for the planned one and then all others
     */
    ObjectNode evacuate(String vmId, Optional<String> wanted, Optional<Long> deadline) {
        VmRun run = supervisor.require(vmId);
        long now = System.currentTimeMillis();
        long deadlineMillis = deadline.orElse(now + DEFAULT_DEADLINE_MS);
        if (deadlineMillis <= now) {
            throw new ApiError(
                    409,
                    "the deadline is already past by " + (now - deadlineMillis)
                            + " ms; the VM runs on. Name a later one");
        }
        Evacuation.Targets targets = wanted.map(name -> Evacuation.Targets.only(peers.find(name)
                        .orElseThrow(() -> new ControlException(
                                ExitCode.NOT_FOUND,
                                "host " + config.host() + " has no peer named " + name + "; its peers: "
                                        + peers.all().stream()
                                                .map(AgentConfig.Peer::host)
                                                .toList()))))
                .orElseGet(() -> targets(run.spec(), deadlineMillis));
        if (wanted.isEmpty() && !canGoSomewhere()) {
            throw new ControlException(
                    ExitCode.USAGE,
                    "agent.json names no \"peers\" to evacuate to, and no \"controller\" to ask for one");
        }
        return start(run, targets, false, deadlineMillis).describe();
    }

    ObjectNode evacuation(String vmId) {
        Evacuation evacuation = evacuations.get(vmId);
        if (evacuation == null) {
            throw new ControlException(ExitCode.NOT_FOUND, "no evacuation of VM " + vmId + " on host " + config.host());
        }
        return evacuation.describe();
    }

    ArrayNode allEvacuations() {
        ArrayNode all = Json.MAPPER.createArrayNode();
        evacuations.values().forEach(evacuation -> all.add(evacuation.describe()));
        return all;
    }

    /** Ends and forgets a VM; with {@code onlyReceiving} only one that has not become ours to run. */
    ObjectNode remove(String vmId, boolean onlyReceiving) throws InterruptedException {
        VmRun run = supervisor.require(vmId);
        String state = run.state();
        if (onlyReceiving && !state.equals(VmRun.RECEIVING) && !state.equals(VmRun.STARTING) && !run.isOver()) {
            throw new ApiError(409, "VM " + vmId + " is " + state + " here");
        }
        receiversUntilMillis.remove(run);
        if (onlyReceiving) {
            supervisor.removeFailedReceiver(run);
        } else {
            supervisor.remove(run);
        }
        plans.remove(vmId);
        if (CAN_MOVE.contains(state)) {
            run.spec().mac().ifPresent(mac -> dropFlow(vmId, mac));
        }
        events.add("vm-removed", vmId, "was " + state);
        return Json.MAPPER.createObjectNode().put("vmId", vmId).put("removed", true);
    }

    /** What a peer runs, should it ever be needed here. */
    void plan(String source, List<VmSpec> specs) {
        for (VmSpec spec : specs) {
            plans.put(spec.vmId(), spec);
        }
    }

    /** The hosts that the controller knows; the answer says how this one is. */
    ObjectNode name(List<AgentConfig.Peer> named) {
        if (peers.name(named)) {
            events.add(
                    "peers-named",
                    "",
                    named.stream().map(AgentConfig.Peer::host).toList().toString());
        }
        return health();
    }

    /** A VM that may not run here does not get as far as a process; its source goes on, and tries another target. */
    private void passGate(VmSpec spec, String source, long leftMs) throws InterruptedException {
        Optional<VmHooks.Hook> gate = spec.hooks().gate();
        if (gate.isPresent()) {
            Optional<String> refusal =
                    HookRun.run("gate", gate.get(), spec.vmId(), source, config.host(), leftMs, hookLogs);
            if (refusal.isPresent()) {
                events.add("gate-failed", spec.vmId(), refusal.get());
                throw new ControlException(
                        ExitCode.FAILED,
                        "VM " + spec.vmId() + " may not run on " + config.host() + ": " + refusal.get());
            }
        }
    }

    private boolean canGoSomewhere() {
        return !peers.all().isEmpty() || controller.isThere();
    }

    /** On a host that is taken away, or that sends VMs away, nothing more will start soon. */
    private boolean spareAllowed() {
        return signalWatch.notice().isEmpty() && evacuations.values().stream().allMatch(Evacuation::isOver);
    }

    private void refuseWhenLeaving() {
        signalWatch.notice().ifPresent(notice -> {
            throw new ApiError(
                    409,
                    "the cloud takes host " + config.host() + " away"
                            + signalWatch
                                    .leftMillis(notice)
                                    .map(left -> " in " + left + " ms")
                                    .orElse("") + "; choose another host");
        });
    }

    private ObjectNode started(VmRun run, String kind) {
        events.add(kind, run.spec().vmId(), "process " + run.saved().pid());
        return run.describe();
    }

    ArrayNode signals() {
        ArrayNode all = Json.MAPPER.createArrayNode();
        signalWatch.standing().forEach(signal -> all.add(signalWatch.describe(signal)));
        return all;
    }

    void signalsFromController(List<SignalMessage> messages) {
        signalWatch.controller(messages);
    }

    private void onSignal(Signal signal) {
        // One that is still starting or arriving follows when it runs, see onState.
        reactions.react(
                signal,
                signalWatch.leftMillis(signal),
                supervisor.all().stream()
                        .filter(run -> CAN_MOVE.contains(run.state()))
                        .toList());
    }

    private void onSignalWithdrawn(Signal signal) {
        reactions.takeBack(
                signal,
                signalWatch.standing(),
                supervisor.all().stream().filter(run -> !run.isOver()).toList(),
                vmId -> turns.cancelWaiting(vmId, "the cloud took its notice back before the move began"));
    }

    private void evacuateByNotice(VmRun run, long deadlineMillis) {
        String vmId = run.spec().vmId();
        if (!canGoSomewhere()) {
            events.add("evacuation-failed", vmId, "agent.json names no \"peers\" to evacuate to");
            return;
        }
        Evacuation fresh = evacuation(run, targets(run.spec(), deadlineMillis), true, deadlineMillis, turns::over);
        Evacuation standing = claim(run, fresh);
        if (standing == fresh) {
            turns.queue(fresh);
        } else {
            events.add("evacuation-goes-on", vmId, "VM " + vmId + " is being evacuated already");
            standing.tighten(deadlineMillis);
        }
    }

    private Evacuation evacuation(
            VmRun run, Evacuation.Targets targets, boolean untilDeadline, long deadlineMillis, Runnable onTurnOver) {
        return new Evacuation(
                run,
                targets,
                untilDeadline,
                deadlineMillis,
                client,
                events,
                config.host(),
                hookLogs,
                run.spec().volume().map(volume -> new VolumeMove(run, volume, volumes, client, events)),
                onTurnOver);
    }

    private Evacuation start(VmRun run, Evacuation.Targets targets, boolean untilDeadline, long deadlineMillis) {
        Evacuation fresh = evacuation(run, targets, untilDeadline, deadlineMillis, () -> {});
        if (claim(run, fresh) != fresh) {
            throw new ApiError(409, "VM " + run.spec().vmId() + " is being evacuated already");
        }
        fresh.start();
        return fresh;
    }

    /** The evacuation that counts for the VM: one that is not over yet, else the fresh one. */
    private Evacuation claim(VmRun run, Evacuation fresh) {
        return evacuations.compute(
                run.spec().vmId(), (id, earlier) -> earlier != null && !earlier.isOver() ? earlier : fresh);
    }

    private Evacuation.Targets targets(VmSpec spec, long deadlineMillis) {
        return new Evacuation.Targets() {
            @Override
            public List<AgentConfig.Peer> now(Set<String> failed) {
                List<AgentConfig.Peer> known = knownTargets(spec);
                boolean hope = known.stream()
                        .anyMatch(peer -> keepalive.reaches(peer.host()) && !failed.contains(peer.host()));
                if (hope || !controller.isThere()) {
                    return known;
                }
                List<AgentConfig.Peer> round = new ArrayList<>();
                controller.need(spec, deadlineMillis, failed).ifPresent(round::add);
                // One that never answered is tried once; more would be time that the new target could use.
                known.stream()
                        .filter(peer -> keepalive.reaches(peer.host()) || !failed.contains(peer.host()))
                        .filter(peer ->
                                round.stream().noneMatch(other -> other.host().equals(peer.host())))
                        .forEach(round::add);
                return round;
            }

            @Override
            public boolean mayCome() {
                return controller.isThere();
            }
        };
    }

    /** The planned target first, then the other peers, those that answered last time before those that did not. */
    private List<AgentConfig.Peer> knownTargets(VmSpec spec) {
        String planned = spec.lifeboat()
                .filter(name -> peers.find(name).isPresent())
                .or(() -> controller.planned(spec.vmId()))
                .or(config::defaultLifeboat)
                .orElse("");
        List<AgentConfig.Peer> targets = new ArrayList<>(peers.all());
        targets.sort(
                Comparator.comparing((AgentConfig.Peer peer) -> !peer.host().equals(planned))
                        .thenComparing(peer -> !keepalive.reaches(peer.host())));
        return targets;
    }

    /** On the VM's watch thread. */
    private void onState(VmRun run, String state) {
        String vmId = run.spec().vmId();
        events.add(
                "vm-state",
                vmId,
                run.ended() && !run.endedBecause().equals(state) ? state + ": " + run.endedBecause() : state);
        Evacuation evacuation = evacuations.get(vmId);
        if (evacuation != null && evacuation.isOf(run)) {
            evacuation.onLocalState(state);
        }
        if (state.equals(VmRun.RUNNING)) {
            receiversUntilMillis.remove(run);
            // A host can be taken away while a VM is still on its way to it.
            if (evacuation == null || !evacuation.isOf(run)) {
                for (Signal signal : signalWatch.standing()) {
                    reactions.react(signal, signalWatch.leftMillis(signal), List.of(run));
                }
            }
            controller.arrived(vmId, run.term());
            if (run.saved().mode() != VmmConfig.Mode.BOOT
                    && run.spec().hooks().afterMove().isPresent()) {
                Thread thread = new Thread(
                        () -> afterMove(run, run.spec().hooks().afterMove().get()), "hook-" + vmId);
                thread.setDaemon(true);
                thread.start();
            }
            if (run.spec().mac().isPresent()) {
                Thread thread = new Thread(() -> arrive(run, run.spec().mac().get()), "arrive-" + vmId);
                thread.setDaemon(true);
                thread.start();
            }
        }
        if (state.equals(VmRun.HANDED_OVER) && !run.ended()) {
            run.saved().tap().ifPresent(tap -> receiveBroadcasts(vmId, tap, false));
        }
        if (run.ended()) {
            receiversUntilMillis.remove(run);
            try {
                supervisor.cleanUpAfterEnd(run);
            } catch (NetworkException e) {
                events.add("network-failed", vmId, e.getMessage());
            }
            if (run.spec().volume().isPresent()) {
                letVolumeGo(run);
            }
        }
    }

    private void afterMove(VmRun run, VmHooks.Hook hook) {
        String vmId = run.spec().vmId();
        try {
            HookRun.run("afterMove", hook, vmId, "", config.host(), hook.limitMs(), hookLogs)
                    .ifPresent(why -> events.add("hook-failed", vmId, why));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The VM runs here: its frames come here. The gateway first, for it decides where the clients' frames go. */
    private void arrive(VmRun run, String mac) {
        String vmId = run.spec().vmId();
        try {
            run.saved().tap().ifPresent(tap -> receiveBroadcasts(vmId, tap, true));
            pointGateway(run, mac);
            network.announce(mac);
            events.add("network-announced", vmId, mac);
        } catch (NetworkException | ControlException e) {
            events.add("network-failed", vmId, e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void receiveBroadcasts(String vmId, String tap, boolean on) {
        try {
            network.receiveBroadcasts(tap, on);
        } catch (NetworkException e) {
            events.add("network-failed", vmId, e.getMessage());
        }
    }

    private void dropFlow(String vmId, String mac) {
        config.gateway().ifPresent(gateway -> {
            try {
                client.delete(gateway.url(), "/v1/flows/" + mac, 5_000);
            } catch (ApiError | ControlException e) {
                events.add("network-failed", vmId, "the gateway keeps a flow to a VM that is gone: " + e.getMessage());
            }
        });
    }

    private void pointGateway(VmRun run, String mac) throws InterruptedException {
        if (config.gateway().isEmpty()) {
            return;
        }
        ObjectNode flow = Json.MAPPER.createObjectNode();
        flow.put("mac", mac).put("vtep", config.receiveAddress()).put("term", run.term());
        long limitNs = System.nanoTime() + FLOW_LIMIT_MS * 1_000_000;
        while (true) {
            try {
                client.post(config.gateway().get().url(), "/v1/flows", flow, 5_000);
                events.add("flow-pointed", run.spec().vmId(), mac + " to " + config.receiveAddress());
                return;
            } catch (ApiError refused) {
                throw new ControlException(ExitCode.FAILED, "the gateway refuses the flow: " + refused.getMessage());
            } catch (ControlException e) {
                if (System.nanoTime() - limitNs > 0 || !run.state().equals(VmRun.RUNNING)) {
                    throw e;
                }
                Thread.sleep(FLOW_RETRY_MS);
            }
        }
    }

    private void limitReceivers() {
        try {
            while (true) {
                Thread.sleep(1_000);
                reactions.refreshRules();
                for (Map.Entry<VmRun, Long> receiver : receiversUntilMillis.entrySet()) {
                    VmRun run = receiver.getKey();
                    if (System.currentTimeMillis() > receiver.getValue()
                            && receiversUntilMillis.remove(run) != null
                            && run.state().equals(VmRun.RECEIVING)) {
                        events.add(
                                "receive-failed",
                                run.spec().vmId(),
                                "nothing came before the deadline; log: " + VmRun.log(run.directory()));
                        end(run);
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void end(VmRun run) throws InterruptedException {
        try {
            supervisor.removeFailedReceiver(run);
        } catch (NetworkException e) {
            events.add("network-failed", run.spec().vmId(), e.getMessage());
        }
    }
}
