// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.FencedException;
import dev.lifeboat.store.FleetRegistry;
import dev.lifeboat.store.KeyWrapper;
import dev.lifeboat.store.MovableObjectStore;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRegistries;
import dev.lifeboat.store.StoreSettings;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.stream.Streamer;
import dev.lifeboat.stream.StreamerListener;
import dev.lifeboat.stream.StreamerStats;
import dev.lifeboat.stream.evacuation.Arrival;
import dev.lifeboat.stream.evacuation.EvacuationException;
import dev.lifeboat.stream.evacuation.EvacuationReport;
import dev.lifeboat.stream.evacuation.EvacuationRequest;
import dev.lifeboat.stream.evacuation.EvacuationTarget;
import dev.lifeboat.stream.evacuation.SourceState;
import dev.lifeboat.stream.evacuation.TargetState;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.lease.LeaseTerms;
import dev.lifeboat.stream.wire.WireSecurity;
import dev.lifeboat.vmm.kvm.Hypervisor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One microVM from its beginning (boot, restore or arrival) to its end, for {@link VmmProcess}. The main thread brings
 * the VM to life and waits for the end; control threads carry out commands; the guest and the streamer have threads of
 * their own.
 */
final class Vmm implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Vmm.class);
    /** How long a final state can still be asked for before the process ends. */
    private static final long LAST_WORDS_MS = 1_500;
    /** For an epoch that was asked for, on a slow store. */
    private static final Duration EPOCH_LIMIT = Duration.ofSeconds(60);
    /** For calls of the store that are under way when it is given away; they are cut short by nothing. */
    private static final long LAST_CALLS_MS = 10_000;

    private final VmmConfig config;
    private final Console console;
    private final VmDisks disks;
    private final VmDevices devices;
    private final GuestMemory memory;
    private final ControlSocket control;
    private final CountDownLatch ended = new CountDownLatch(1);

    // Guarded by this.
    private ProcessState state = ProcessState.STARTING;
    private String message = "";
    private Optional<RunningVm> running = Optional.empty();
    private Optional<EvacuationTarget> target = Optional.empty();
    private Optional<ArrivingVm> incoming = Optional.empty();
    private Optional<VmStore> store = Optional.empty();
    private Optional<ObjectStore> objects = Optional.empty();
    /** The store on a volume that goes with the VM. */
    private Optional<MovableObjectStore> movable = Optional.empty();

    private Optional<FleetRegistry> registry = Optional.empty();
    private long term;
    private long recoveryPointMs = -1;
    private boolean closed;

    Vmm(VmmConfig config) throws IOException {
        this.config = config;
        try (Hypervisor hypervisor = Hypervisor.open()) {
            hypervisor.requireOrdinaryGuests();
        }
        disks = new VmDisks(config);
        devices = new VmDevices(config, disks);
        console = new Console(Path.of(config.consoleLog()));
        try {
            // Mapping costs nothing until it is touched, and failing here is better than in the middle of a move.
            memory = new GuestMemory(config.memoryBytes());
            control = ControlSocket.open(
                    Path.of(config.controlSocket()),
                    Map.of(
                            "status", arguments -> status(),
                            "epoch", arguments -> forceEpoch(),
                            "evacuate", this::evacuate,
                            "release-store", this::releaseStore,
                            "take-store", arguments -> takeStore(),
                            "pause", arguments -> pause(),
                            "resume", arguments -> resume(),
                            "stop", arguments -> stop(),
                            "rate", this::rate,
                            "console-input", this::consoleInput));
        } catch (IOException | RuntimeException e) {
            console.close();
            throw e;
        }
    }

    /** Brings the VM to life and returns the exit code when it is over. */
    int run() throws InterruptedException {
        try {
            switch (config.mode()) {
                case BOOT -> boot();
                case RESTORE -> restore();
                case RECEIVE -> receive();
            }
        } catch (RuntimeException e) {
            fail(String.valueOf(e.getMessage()));
            throw e;
        }
        ended.await();
        Thread.sleep(LAST_WORDS_MS);
        synchronized (this) {
            return state == ProcessState.FAILED || !message.isEmpty() ? 1 : 0;
        }
    }

    private void boot() {
        Path kernel = Path.of(config.kernel().orElseThrow(() -> new VmmException("no kernel given: name a bzImage")));
        BootSource source = new BootSource(kernel, config.initrd().map(Path::of), config.commandLine());
        Optional<VmStore> opened = openStore();
        opened.flatMap(vmStore -> vmStore.owners().newest()).ifPresent(record -> {
            throw new VmmException("the store already holds a VM named " + config.vmId() + ", last run by host "
                    + record.host() + ": restore it, or choose another name");
        });
        disks.open(objects());
        MicroVm vm = MicroVm.boot(memory, source, parts());
        try {
            // After all that a user can get wrong: a kernel that cannot be loaded must not use the name up.
            run(vm, opened.map(vmStore -> claim(vmStore, 1, 0)), Baseline.nothing());
        } catch (RuntimeException e) {
            vm.close();
            throw e;
        }
        start(vm);
        enter(ProcessState.RUNNING, "");
    }

    private void restore() {
        VmStore opened = openStore().orElseThrow(() -> new VmmException("a restore needs a store"));
        OwnerRecord last = opened.owners()
                .newest()
                .orElseThrow(() -> new VmmException("the store " + describeStore() + " knows no VM named "
                        + config.vmId() + ": check the name and the store's URL"));
        // First the ownership: whoever ran it before can finish a commit that it has begun, and no other
        // (Streamer.requireBase).
        Claim owner = claim(opened, last.term() + 1, last.leaseMillis());
        long claimedNs = System.nanoTime();
        EpochManifest epoch = opened.newestWhole()
                .orElseThrow(() -> new VmmException("the store " + describeStore() + " holds no whole epoch of VM "
                        + config.vmId() + ": there is nothing to restore"));
        VmDescription description = VmDescription.requireFitting(epoch.vmDescription(), config);
        // Before gigabytes are read.
        MicroVm.requireRestorable(epoch.state());
        disks.make(description, objects().orElseThrow());
        VmStore.RestoreStats stats = opened.restore(epoch, this::fill);
        restoreDisks(opened, epoch);
        LOG.info(
                "restored epoch {}: {} pages, {} bytes read in {} ms",
                epoch.epoch(),
                stats.pages(),
                stats.bytesRead(),
                TimeUnit.NANOSECONDS.toMillis(stats.nanos()));
        MicroVm vm = MicroVm.restore(memory, epoch.state(), parts());
        // Before anything runs that could resume the guest: streaming does after each cut.
        awaitEarlierRights(last, claimedNs);
        run(vm, Optional.of(owner), Baseline.exactly(epoch.epoch()));
        start(vm);
        synchronized (this) {
            recoveryPointMs = System.currentTimeMillis() - epoch.cutAtMillis();
        }
        enter(ProcessState.RUNNING, "");
    }

    /** The former owner, or a target that it gave its right to, may still run and not know of this host. */
    private void awaitEarlierRights(OwnerRecord last, long claimedNs) {
        long leftNs = LeaseTerms.waitAfterNs(last) - (System.nanoTime() - claimedNs);
        if (leftNs <= 0) {
            return;
        }
        LOG.info(
                "the lease of {} may last for another {} ms; waiting for its end",
                last.host(),
                TimeUnit.NANOSECONDS.toMillis(leftNs));
        try {
            TimeUnit.NANOSECONDS.sleep(leftNs);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new VmmException("interrupted while waiting for the end of the former owner's lease", e);
        }
    }

    /** The guest's first instruction here; behind a lease it comes when the lease is there. */
    private void start(MicroVm vm) {
        RunningVm made = requireRunning();
        if (made.protection().flatMap(RunningVm.Protection::lease).isPresent()) {
            made.live().resume();
        } else {
            vm.start();
        }
    }

    private void restoreDisks(VmStore opened, EpochManifest epoch) {
        List<StreamedDisk> streamed = disks.streamed();
        for (int space = 1; space <= streamed.size(); space++) {
            StreamedDisk disk = streamed.get(space - 1);
            VmStore.RestoreStats stats = opened.restore(
                    epoch,
                    space,
                    (firstBlock, count, content) ->
                            disk.fill(firstBlock, count, NativeMemory.addressOf(content) + content.position()));
            LOG.info(
                    "restored disk {}: {} blocks, {} bytes read in {} ms",
                    space - 1,
                    stats.pages(),
                    stats.bytesRead(),
                    TimeUnit.NANOSECONDS.toMillis(stats.nanos()));
        }
    }

    private void fill(long firstPage, int pageCount, ByteBuffer content) {
        NativeMemory.copy(
                NativeMemory.addressOf(content) + content.position(),
                memory.pageAddress(firstPage),
                (long) pageCount * GuestMemory.PAGE_BYTES);
    }

    private void receive() throws InterruptedException {
        VmStore opened = openStore().orElseThrow(() -> new VmmException("to receive a VM its store is needed"));
        VmmConfig.Receive listen =
                config.receive().orElseThrow(() -> new VmmException("no address to receive the VM at"));
        // Its first call opens connections and loads classes, which the blackout must not wait for.
        opened.owners().newest();
        if (storeIsHere()) {
            fetchImages(opened);
        }
        ArrivingVm arriving =
                new ArrivingVm(config, this::parts, memory, disks, objects().orElseThrow());
        EvacuationTarget waiting = new EvacuationTarget(
                RunningVm.EVACUATION,
                security(),
                new InetSocketAddress(listen.address(), listen.port()),
                opened,
                arriving,
                devices.injector(),
                config.host(),
                entered -> onTargetState(entered, arriving),
                config.owners().lease(),
                this::onLost);
        synchronized (this) {
            target = Optional.of(waiting);
            incoming = Optional.of(arriving);
        }
        enter(ProcessState.RECEIVING, "");
        Thread rehearsal = new Thread(this::rehearse, "rehearsal");
        rehearsal.setDaemon(true);
        rehearsal.start();
        Arrival arrival;
        try {
            arrival = waiting.arrival().get();
        } catch (ExecutionException e) {
            throw new VmmException("no VM arrived: " + e.getCause().getMessage(), e.getCause());
        }
        run(arriving.vm(), Optional.of(arrival.owner()), arrival.lease(), arrival.baseline());
        waiting.complete().whenComplete((equal, failure) -> {
            if (Boolean.FALSE.equals(equal)) {
                LOG.error("the memory of this VM differs from the source's at the switch");
            }
        });
    }

    /**
     * Base images are fetched before anybody waits for this host, as far as an epoch names them; else when the source has
     * said them, which must then not take longer than it waits.
     */
    private void fetchImages(VmStore opened) {
        if (config.disks().stream().anyMatch(disk -> disk.base().isPresent())) {
            opened.newestWhole()
                    .ifPresent(epoch -> disks.fetchImages(
                            VmDescription.requireFitting(epoch.vmDescription(), config),
                            objects().orElseThrow()));
        }
    }

    /** While memory fills; its failure costs nothing but time later. */
    private void rehearse() {
        try {
            MicroVm.rehearseRestore(config.vcpus());
        } catch (VmmException | LinuxException e) {
            LOG.warn("the restore could not be rehearsed: {}", e.getMessage());
        }
    }

    private void onTargetState(TargetState entered, ArrivingVm arriving) {
        // From GRANTED on the guest runs here, and its network must follow at once.
        if (entered == TargetState.GRANTED || entered == TargetState.RUNNING) {
            synchronized (this) {
                term = arriving.term();
            }
            enter(ProcessState.RUNNING, "");
        }
    }

    private Optional<VmStore> openStore() {
        if (config.store().isEmpty()) {
            return Optional.empty();
        }
        VmmConfig.Store where = config.store().get();
        Optional<KeyWrapper> key = where.key().map(KeyWrapper::open);
        ObjectStore opened = where.volume().isPresent() ? openVolume(where) : open(where);
        DefaultVmStore inStore = new DefaultVmStore(opened, config.vmId(), StoreSettings.DEFAULT, key);
        Optional<FleetRegistry> apart =
                config.owners().registry().map(url -> OwnerRegistries.open(url, where.endpoint(), where.region()));
        VmStore vmStore =
                apart.map(fleet -> inStore.ownedIn(fleet.owners(config.vmId()))).orElse(inStore);
        synchronized (this) {
            objects = Optional.of(opened);
            registry = apart;
            store = Optional.of(vmStore);
        }
        return Optional.of(vmStore);
    }

    private static ObjectStore open(VmmConfig.Store where) {
        return ObjectStores.open(where.url(), where.endpoint(), where.region());
    }

    /** A VM that is on its way here brings its volume; before, nothing is there to be opened. */
    private MovableObjectStore openVolume(VmmConfig.Store where) {
        where.requireOwnersElsewhere(config.owners());
        MovableObjectStore volume = new MovableObjectStore(where.describe());
        if (config.mode() != VmmConfig.Mode.RECEIVE) {
            VolumeLabel.require(where.volume().orElseThrow());
            volume.arrive(open(where));
        }
        synchronized (this) {
            movable = Optional.of(volume);
        }
        return volume;
    }

    private synchronized boolean storeIsHere() {
        return movable.map(MovableObjectStore::isHere).orElse(true);
    }

    private synchronized MovableObjectStore requireMovable() {
        return movable.orElseThrow(
                () -> new VmmException("the store of this VM is not on a volume that moves with it"));
    }

    /** Ends the use of the volume; the VM runs on, and what it writes is kept track of. */
    private JsonNode releaseStore(JsonNode arguments) {
        MovableObjectStore volume = requireMovable();
        Duration limit = Duration.ofMillis(arguments.path("limitMs").asLong(EPOCH_LIMIT.toMillis()));
        Optional<Streamer> streamer = running().flatMap(RunningVm::protection).map(RunningVm.Protection::streamer);
        if (volume.isHere()) {
            streamer.ifPresent(streaming -> streaming.releaseStore(limit));
            try {
                volume.leave(Math.min(LAST_CALLS_MS, limit.toMillis()));
            } catch (RuntimeException e) {
                streamer.ifPresent(Streamer::regainStore);
                throw e;
            }
        }
        return status();
    }

    /** The volume is mounted on this host. */
    private JsonNode takeStore() {
        MovableObjectStore volume = requireMovable();
        VmmConfig.Store where = config.store().orElseThrow();
        if (!volume.isHere()) {
            VolumeLabel.require(where.volume().orElseThrow());
            volume.arrive(open(where));
        }
        running()
                .flatMap(RunningVm::protection)
                .ifPresent(protection -> protection.streamer().regainStore());
        return status();
    }

    private synchronized Optional<ObjectStore> objects() {
        return objects;
    }

    private String describeStore() {
        return config.store().map(VmmConfig.Store::describe).orElse("(none)");
    }

    /** @param startedNs before it was tried, as {@link LeaseKeeper#take} wants it */
    private record Claim(OwnerRecord record, long startedNs) {}

    /** @param earlierLeaseMillis how long rights of earlier terms may last, which whoever follows this host waits out too */
    private Claim claim(VmStore opened, long claimedTerm, long earlierLeaseMillis) {
        OwnerRecord mine = new OwnerRecord(
                OwnerRecord.VERSION,
                config.vmId(),
                claimedTerm,
                config.host(),
                UUID.randomUUID().toString(),
                System.currentTimeMillis(),
                Math.max(
                        earlierLeaseMillis,
                        config.owners().lease().map(LeaseTerms::leaseMillis).orElse(0L)));
        long startedNs = System.nanoTime();
        OwnerRecord standing = opened.owners().claim(mine);
        if (!standing.nonce().equals(mine.nonce())) {
            throw new FencedException("host " + standing.host() + " was faster to take over VM " + config.vmId()
                    + " (term " + standing.term() + "); it runs there");
        }
        return new Claim(mine, startedNs);
    }

    private WireSecurity security() {
        return config.tls()
                .map(tls -> WireSecurity.tls(Path.of(tls.authority()), Path.of(tls.certificate()), Path.of(tls.key())))
                .orElseGet(WireSecurity::insecure);
    }

    private MicroVmConfig parts() {
        return new MicroVmConfig(
                config.vcpus(),
                CpuProfile.named(config.cpuProfile()),
                devices.makers(),
                disks.streamed(),
                console,
                this::onGuestEnd);
    }

    /** Takes a VM in before its guest runs. */
    private void run(MicroVm vm, Optional<Claim> claim, Baseline baseline) {
        Optional<LeaseKeeper> lease =
                claim.flatMap(won -> config.owners().lease().map(terms -> {
                    LeaseKeeper keeper = new LeaseKeeper(
                            terms, store.orElseThrow().owners(), config.vmId(), vm, vm::start, this::onLost);
                    keeper.take(won.record(), won.startedNs());
                    return keeper;
                }));
        run(vm, claim.map(Claim::record), lease, baseline);
    }

    /** Takes a VM in, before its guest runs or right after it arrived. */
    private void run(MicroVm vm, Optional<OwnerRecord> owner, Optional<LeaseKeeper> lease, Baseline baseline) {
        RunningVm made = owner.map(record -> RunningVm.streamed(
                        config,
                        vm,
                        VmDescription.of(config, disks.describe()).toJson(),
                        devices,
                        store.orElseThrow(),
                        record,
                        lease,
                        baseline,
                        security(),
                        new Listener(),
                        this::onSourceState))
                .orElseGet(() -> RunningVm.unprotected(vm));
        synchronized (this) {
            running = Optional.of(made);
            term = owner.map(OwnerRecord::term).orElse(0L);
        }
    }

    /** Invariant I1: who has lost the ownership stops at once. */
    private final class Listener implements StreamerListener {
        @Override
        public void fenced(String why) {
            running().ifPresent(vm -> vm.live().pause());
            fail(why);
        }

        @Override
        public void epochFailed(RuntimeException cause) {
            LOG.warn("an epoch was not committed, the VM runs on: {}", cause.getMessage());
        }
    }

    /** The lease's thread; the guest stands still already. */
    private void onLost(OwnerRecord follower) {
        fail("host " + follower.host() + " has taken over VM " + config.vmId() + " (term " + follower.term()
                + "); it does not run here any more");
    }

    private void onSourceState(SourceState entered) {
        switch (entered) {
            case RUNNING -> {
                // Perhaps under a term that it won back.
                synchronized (this) {
                    running.flatMap(RunningVm::protection)
                            .ifPresent(protection ->
                                    term = protection.streamer().owner().term());
                }
                enter(ProcessState.RUNNING, "");
            }
            case EVACUATING -> enter(ProcessState.EVACUATING, "");
            case HANDED_OVER -> enter(ProcessState.HANDED_OVER, "");
            case GONE -> ended.countDown();
            default -> LOG.debug("evacuation: {}", entered);
        }
    }

    private void onGuestEnd(VmStatus status) {
        if (status instanceof VmStatus.ShutDown) {
            enter(ProcessState.EXITED, "");
        } else if (status instanceof VmStatus.RebootRequested) {
            enter(ProcessState.EXITED, "the guest asked for a reboot; start it again");
        } else if (status instanceof VmStatus.Panicked) {
            enter(ProcessState.FAILED, "the guest's kernel panicked; see its console");
        } else if (status instanceof VmStatus.TripleFault fault) {
            enter(ProcessState.FAILED, "the guest triple-faulted on vCPU " + fault.vcpu());
        } else if (status instanceof VmStatus.Failed failed) {
            enter(ProcessState.FAILED, failed.reason());
        }
        ended.countDown();
    }

    private void fail(String why) {
        enter(ProcessState.FAILED, why);
        ended.countDown();
    }

    private void enter(ProcessState entered, String why) {
        ObjectNode data = Json.MAPPER.createObjectNode();
        synchronized (this) {
            if (state.isFinal()) {
                return;
            }
            state = entered;
            message = why;
            data.put("state", entered.name()).put("term", term);
            if (!why.isEmpty()) {
                data.put("message", why);
            }
        }
        LOG.info("{}{}", entered, why.isEmpty() ? "" : ": " + why);
        control.publish("state", data);
    }

    private synchronized Optional<RunningVm> running() {
        return running;
    }

    private synchronized Optional<ArrivingVm> incoming() {
        return incoming;
    }

    private RunningVm requireRunning() {
        return running().orElseThrow(() -> new VmmException("no VM runs here yet"));
    }

    private JsonNode status() {
        ObjectNode about = Json.MAPPER.createObjectNode();
        synchronized (this) {
            about.put("vmId", config.vmId());
            about.put("state", state.name());
            about.put("term", term);
            about.put("memoryBytes", config.memoryBytes());
            if (!message.isEmpty()) {
                about.put("message", message);
            }
            target.ifPresent(waiting -> about.put("receivePort", waiting.port())
                    .put("targetState", waiting.state().name()));
            movable.ifPresent(volume -> about.put("storeIsHere", volume.isHere()));
            if (recoveryPointMs >= 0) {
                about.put("recoveryPointMs", recoveryPointMs);
            }
        }
        running().flatMap(RunningVm::protection).ifPresent(protection -> {
            StreamerStats stats = protection.streamer().stats();
            about.put("epoch", stats.lastEpoch());
            about.put("epochAtMillis", stats.lastEpochCutAtMillis());
            about.put("epochs", stats.epochs());
            about.put("epochPauseMsP50", stats.pauseMsP50());
            about.put("epochPauseMsP99", stats.pauseMsP99());
            about.put("epochPauseMsMax", stats.pauseMsMax());
            about.put("bytesStreamed", stats.bytesStreamed());
            about.put("lagPages", stats.lagPages());
            about.put("streamFailures", stats.failures());
            if (!stats.lastError().isEmpty()) {
                about.put("streamError", stats.lastError());
            }
            protection
                    .lease()
                    .ifPresent(lease -> about.put("lease", lease.state().name()));
            about.put("evacuationState", protection.source().state().name());
        });
        return about;
    }

    private JsonNode forceEpoch() {
        requireRunning().requireProtection().streamer().forceEpoch(EPOCH_LIMIT);
        return status();
    }

    private JsonNode rate(JsonNode arguments) {
        requireRunning()
                .requireProtection()
                .streamer()
                .raiseRate(arguments.path("raised").asBoolean());
        return status();
    }

    private JsonNode evacuate(JsonNode arguments) {
        String host = text(arguments, "target");
        EvacuationRequest request = new EvacuationRequest(
                new InetSocketAddress(
                        text(arguments, "address"), arguments.path("port").asInt()),
                host,
                arguments.path("deadlineMillis").asLong(Long.MAX_VALUE));
        try {
            EvacuationReport report =
                    requireRunning().requireProtection().source().evacuate(request);
            return Json.MAPPER.valueToTree(report);
        } catch (EvacuationException e) {
            if (e.fate() == EvacuationException.VmFate.STOPPED_OWNER_UNKNOWN) {
                fail(e.getMessage());
            }
            throw e;
        }
    }

    private static String text(JsonNode arguments, String name) {
        JsonNode value = arguments.path(name);
        if (!value.isTextual()) {
            throw new VmmException("the command lacks \"" + name + "\"");
        }
        return value.asText();
    }

    private JsonNode pause() {
        requireRunning().live().pause();
        enter(ProcessState.PAUSED, "");
        return status();
    }

    private JsonNode resume() {
        requireRunning().live().resume();
        enter(ProcessState.RUNNING, "");
        return status();
    }

    private JsonNode stop() {
        enter(ProcessState.EXITED, "");
        ended.countDown();
        return status();
    }

    private JsonNode consoleInput(JsonNode arguments) {
        requireRunning().vm().consoleInput(Base64.getDecoder().decode(text(arguments, "base64")));
        return Json.MAPPER.createObjectNode();
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        control.close();
        target.ifPresent(EvacuationTarget::close);
        running().ifPresent(RunningVm::close);
        // By the lease that its source granted it may run before it counts as running here.
        incoming().ifPresent(ArrivingVm::discard);
        registry.ifPresent(FleetRegistry::close);
        objects.ifPresent(ObjectStore::close);
        // After the streaming, which reads them.
        disks.close();
        memory.close();
        console.close();
    }
}
