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

    private static final long RECEIVING_LIMIT_MS = 90_000;
    /** A receiver that got no owner may have to find out in the store that it lost; then it is ended. */
    private static final long RECEIVER_GRACE_MS = 30_000;

    private static final Set<String> CAN_MOVE = Set.of(VmRun.RUNNING, VmRun.PAUSED, VmRun.EVACUATING);

    private static final long FLOW_LIMIT_MS = 60_000;
    private static final long FLOW_RETRY_MS = 250;

    private final AgentConfig config;
    private final Events events = new Events();
    private final ApiClient client;
    private final GuestNetwork network;
    private final VmSupervisor supervisor;
    private final PeerKeepalive keepalive;
    private final SignalWatch signalWatch;
    private final SignalReactions reactions;
    private final AgentApi api;
    private final Map<String, Evacuation> evacuations = new ConcurrentHashMap<>();
    private final EvacuationTurns turns = new EvacuationTurns();
    private final Map<String, VmSpec> plans = new ConcurrentHashMap<>();
    private final Map<VmRun, Long> receiversUntilMillis = new ConcurrentHashMap<>();
    private final Thread receiverLimit = new Thread(this::limitReceivers, "receiver-limit");

    public Agent(AgentConfig config, VmmLauncher launcher, GuestNetwork network, Path kvmDevice) {
        this(config, launcher, network, kvmDevice, TargetWarmer.NONE, StreamingRate.FIXED);
    }

    /**
     * @param warmer makes targets ready when a signal asks for it
     * @param rate streams more often when a signal asks for it
     */
    public Agent(
            AgentConfig config,
            VmmLauncher launcher,
            GuestNetwork network,
            Path kvmDevice,
            TargetWarmer warmer,
            StreamingRate rate) {
        this.config = config;
        this.network = network;
        FleetTls tls = FleetTls.read(config.tls());
        client = new ApiClient(tls);
        supervisor = new VmSupervisor(config, launcher, network, kvmDevice, this::spareAllowed, this::onState);
        keepalive = new PeerKeepalive(config, client, supervisor::all, events);
        signalWatch = new SignalWatch(config, events, supervisor::isEmpty, this::onSignal, this::onSignalWithdrawn);
        reactions = new SignalReactions(config, events, signalWatch::cloud, warmer, rate, this::evacuateByNotice);
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
        network.ensureFabric();
        int adopted = supervisor.adopt();
        api.start();
        keepalive.start();
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
        keepalive.close();
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

    VmSupervisor vms() {
        return supervisor;
    }

    ObjectNode health() {
        ObjectNode health = Json.MAPPER.createObjectNode();
        health.put("role", "agent").put("host", config.host()).put("atMillis", System.currentTimeMillis());
        health.put("spareVmm", supervisor.hasSpare());
        health.put("vms", supervisor.all().stream().filter(run -> !run.isOver()).count());
        signalWatch.cloud().ifPresent(cloud -> health.put("cloud", cloud.word()));
        signalWatch.notice().ifPresent(notice -> health.set("notice", signalWatch.describe(notice)));
        return health;
    }

    ObjectNode boot(VmSpec spec) throws InterruptedException {
        refuseWhenLeaving();
        return started(supervisor.start(spec, VmmConfig.Mode.BOOT), "vm-started");
    }

    /** Brings a VM up from the store; its description is the user's, or the one its last host left with us. */
    ObjectNode restore(String vmId, Optional<VmSpec> given) throws InterruptedException {
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
        return started(supervisor.start(spec, VmmConfig.Mode.RESTORE), "vm-restoring");
    }

    /** A peer wants to send a VM here: starts the receiver and says where it listens. */
    ObjectNode prepare(VmSpec spec, String source, long deadlineMillis) throws InterruptedException {
        refuseWhenLeaving();
        events.add("receive-asked", spec.vmId(), "by " + source);
        VmRun run = supervisor.start(spec, VmmConfig.Mode.RECEIVE);
        receiversUntilMillis.put(run, Math.max(deadlineMillis, System.currentTimeMillis()) + RECEIVER_GRACE_MS);
        String state = run.await(VmRun.RECEIVING::equals, RECEIVING_LIMIT_MS);
        JsonNode status = run.describe();
        if (!state.equals(VmRun.RECEIVING) || !status.hasNonNull("receivePort")) {
            String reason = run.isOver() ? run.endedBecause() : "not ready within " + RECEIVING_LIMIT_MS + " ms";
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
        List<AgentConfig.Peer> targets = wanted.map(name -> List.of(config.peer(name)
                        .orElseThrow(() -> new ControlException(
                                ExitCode.NOT_FOUND,
                                "host " + config.host() + " has no peer named " + name + "; its peers: "
                                        + config.peers().stream()
                                                .map(AgentConfig.Peer::host)
                                                .toList()))))
                .orElseGet(() -> targets(run.spec()));
        if (targets.isEmpty()) {
            throw new ControlException(ExitCode.USAGE, "agent.json names no \"peers\" to evacuate to");
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
        if (signalWatch.notice().isEmpty()) {
            turns.cancelWaiting("the cloud took its notice back before the move began");
        }
    }

    private void evacuateByNotice(VmRun run, long deadlineMillis) {
        String vmId = run.spec().vmId();
        List<AgentConfig.Peer> targets = targets(run.spec());
        if (targets.isEmpty()) {
            events.add("evacuation-failed", vmId, "agent.json names no \"peers\" to evacuate to");
            return;
        }
        Evacuation fresh =
                new Evacuation(run, targets, true, deadlineMillis, client, events, config.host(), turns::over);
        Evacuation standing = claim(run, fresh);
        if (standing == fresh) {
            turns.queue(fresh);
        } else {
            events.add("evacuation-goes-on", vmId, "VM " + vmId + " is being evacuated already");
            standing.tighten(deadlineMillis);
        }
    }

    private Evacuation start(VmRun run, List<AgentConfig.Peer> targets, boolean untilDeadline, long deadlineMillis) {
        Evacuation fresh =
                new Evacuation(run, targets, untilDeadline, deadlineMillis, client, events, config.host(), () -> {});
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

    /** The planned target first, then the other peers, those that answered last time before those that did not. */
    private List<AgentConfig.Peer> targets(VmSpec spec) {
        String planned = spec.lifeboat()
                .filter(name -> config.peer(name).isPresent())
                .or(config::defaultLifeboat)
                .orElse("");
        List<AgentConfig.Peer> targets = new ArrayList<>(config.peers());
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
