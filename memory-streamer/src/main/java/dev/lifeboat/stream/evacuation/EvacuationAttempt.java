// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.stream.DirtyTracker;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.MemoryHash;
import dev.lifeboat.stream.PagePipeline;
import dev.lifeboat.stream.PageRun;
import dev.lifeboat.stream.StreamException;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.stream.Streamer;
import dev.lifeboat.stream.evacuation.EvacuationException.VmFate;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.stream.wire.Message;
import dev.lifeboat.stream.wire.Wire;
import dev.lifeboat.stream.wire.WireConnection;
import dev.lifeboat.stream.wire.WireException;
import dev.lifeboat.stream.wire.WireTransport;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One evacuation, on the source, from notice to the end; on the thread that called {@link EvacuationSource#evacuate}.
 * Whatever fails before SWITCH is sent ends in {@link #rollBack}; afterwards only the owner registry decides.
 */
final class EvacuationAttempt {
    private static final Logger LOG = LoggerFactory.getLogger(EvacuationAttempt.class);

    private static final int RING_SIZE = 64;
    /**
     * Before the first look whether a further round pays while the target hydrates; each look waits twice as long as the
     * one before, up to a second, because looking protects the guest's pages anew.
     */
    private static final long HYDRATION_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(20);

    private static final long HYDRATION_PAUSE_MAX_NS = TimeUnit.SECONDS.toNanos(1);

    /**
     * How much more than the last round a round must find to be sent while the target hydrates. The pages that a guest
     * writes all the time are the same in every round: sent once more they save nothing, and the bytes after the notice
     * would grow with the time of hydration. Pages it has not written before are worth sending early.
     */
    private static final int GROWTH_THAT_PAYS = 2;

    private static final long HYDRATION_LOOK_NS = TimeUnit.MILLISECONDS.toNanos(5);

    private static final int DRAIN_MS = 50;
    private static final long BYE_LIMIT_MS = 10_000;

    private final EvacuationSource source;
    private final EvacuationConfig config;
    private final EvacuationRequest request;
    private final LiveVm vm;
    private final Streamer streamer;
    private final long noticeNs;
    private final SourceInbox inbox = new SourceInbox();
    private final PageRun run = new PageRun();

    private WireConnection connection;
    private PagePipeline pipeline;
    /** In lease mode what the target may run by; 0 in strict mode. */
    private long grantMillis;

    private boolean suspended;
    private boolean paused;

    private long hydratedFrom;
    private int rounds;
    private long pagesSent;
    private long lastPages;
    private long pauseStartNs;
    private double pauseMs;
    private double stateMs;
    private double lastPagesMs;
    private Message.Ready ready;
    private double hashMs;
    private long framesForwarded;
    private boolean hashEqual;

    EvacuationAttempt(EvacuationSource source, EvacuationRequest request, long noticeNs) {
        this.source = source;
        this.request = request;
        this.noticeNs = noticeNs;
        config = source.config();
        vm = source.vm();
        streamer = source.streamer();
    }

    EvacuationReport run() {
        if (leftMs() <= 0) {
            throw new EvacuationException(
                    "the deadline is already past; the VM keeps running here. Give a deadline that lies ahead, or none",
                    VmFate.RUNS_HERE,
                    null);
        }
        try (WireTransport transport = new WireTransport("evacuation-wire", source.security(), config.wire())) {
            try {
                source.enter(SourceState.EVACUATING);
                connect(transport);
                greet();
                preCopy();
                pauseAndSendTheRest();
                grantMillis = giveRight();
            } catch (RuntimeException e) {
                throw rollBack(e, streamer.owner());
            } finally {
                if (pipeline != null) {
                    pipeline.close();
                }
            }
            long committedNs = 0;
            source.enter(SourceState.SWITCHING);
            long newTerm = streamer.owner().term() + 1;
            Optional<Message.Committed> committed = switchOver(newTerm);
            if (committed.isPresent()) {
                committedNs = System.nanoTime();
                if (committed.get().ranBefore()) {
                    committedNs -= TimeUnit.MICROSECONDS.toNanos(committed.get().claimMicros());
                }
            }
            source.enter(SourceState.HANDED_OVER);
            afterwards();
            source.enter(SourceState.GONE);
            return report(committed, committedNs, newTerm);
        }
    }

    /** Milliseconds until the deadline. */
    private long leftMs() {
        return request.deadlineMillis() == Long.MAX_VALUE
                ? Long.MAX_VALUE
                : request.deadlineMillis() - System.currentTimeMillis();
    }

    private long limit(long millis) {
        return Math.max(1, Math.min(millis, leftMs()));
    }

    private void connect(WireTransport transport) {
        // Before streaming stops: a target that is not there costs nothing.
        connection = transport.connect(request.target(), request.targetName(), wire -> inbox);
    }

    private void greet() {
        long epoch = streamer.suspend(Duration.ofMillis(limit(config.suspendMs())));
        suspended = true;
        connection.send(new Message.Hello(new HelloInfo(
                Wire.VERSION,
                streamer.store().vmId(),
                streamer.owner().term(),
                vm.memory().lengthBytes(),
                vm.disks().stream().map(StreamedDisk::blocks).toList(),
                source.hostName(),
                source.cpuCompatibilityKey(),
                streamer.vmDescription(),
                epoch)));
        hydratedFrom = inbox.await(Message.HelloOk.class, limit(config.helloMs()), "answer HELLO")
                .hydratesFrom();
        if (hydratedFrom == 0) {
            inbox.hydrated = new Message.Hydrated(0, 0, 0);
            streamer.tracker().markExisting();
        } else if (hydratedFrom != epoch) {
            throw new WireException("the target wants to start from epoch " + hydratedFrom + ", not " + epoch);
        }
        pipeline = new PagePipeline("evacuation", 1, RING_SIZE);
        pipeline.begin(connection.runSink());
    }

    /** Rounds of dirty pages while the guest runs and the target hydrates. */
    private void preCopy() {
        DirtyTracker tracker = streamer.tracker();
        SwitchPlanner planner = new SwitchPlanner(config.targetBlackoutMs(), config.switchCostMs(), config.maxRounds());
        long hydrateEndNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limit(config.hydrateMs()));
        long pauseNs = HYDRATION_PAUSE_NS;
        long lastFound = 0;
        long dirty = tracker.harvest();
        while (planner.next(rounds, estimateBytes(dirty), inbox.hydrated != null, leftMs())
                == SwitchPlanner.Step.ANOTHER_ROUND) {
            connection.checkOpen();
            if (inbox.hydrated == null) {
                if (System.nanoTime() > hydrateEndNs) {
                    throw new StreamException("the target did not fill its memory from the store in time");
                }
                if (rounds > 0) {
                    awaitHydration(Math.min(pauseNs, hydrateEndNs - System.nanoTime()));
                    pauseNs = Math.min(2 * pauseNs, HYDRATION_PAUSE_MAX_NS);
                    dirty = tracker.harvest();
                    boolean pays = dirty >= GROWTH_THAT_PAYS * lastFound || inbox.hydrated != null;
                    if (dirty == 0 || !pays) {
                        continue;
                    }
                }
            }
            long bytesBefore = connection.bytesSent();
            long startedNs = System.nanoTime();
            lastFound = sendDirty(tracker);
            pagesSent += lastFound;
            connection.send(new Message.RoundEnd(++rounds));
            awaitRound();
            double millis = sinceMs(startedNs);
            long left = tracker.harvest();
            planner.roundDone(connection.bytesSent() - bytesBefore, millis, dirty, left);
            LOG.debug("Round {}: {} pages in {} ms, {} dirty again", rounds, dirty, millis, left);
            dirty = left;
        }
    }

    /** Waits until the target is hydrated or the time is over. */
    private void awaitHydration(long limitNs) {
        long startNs = System.nanoTime();
        while (inbox.hydrated == null && System.nanoTime() - startNs < limitNs && leftMs() > 0) {
            connection.checkOpen();
            LockSupport.parkNanos(HYDRATION_LOOK_NS);
        }
    }

    private void awaitRound() {
        Message.RoundAck ack =
                inbox.await(Message.RoundAck.class, limit(config.roundMs()), "acknowledge a round of pages");
        if (ack.round() != rounds) {
            throw new WireException("the target acknowledged round " + ack.round() + ", not " + rounds);
        }
    }

    /** What dirty pages become on the wire, judged by those sent so far. */
    private long estimateBytes(long pages) {
        return pagesSent == 0 ? pages * GuestMemory.PAGE_BYTES : pages * (connection.bytesSent() / pagesSent);
    }

    private long sendDirty(DirtyTracker tracker) {
        long pages = 0;
        run.rewind();
        while (tracker.takeNext(run)) {
            tracker.publish(run, pipeline);
            pages += run.count();
        }
        pipeline.drain();
        return pages;
    }

    /** The blackout begins. Order as in {@code Streamer.cut}: saving may write guest memory, so harvest after it. */
    private void pauseAndSendTheRest() {
        source.enter(SourceState.PAUSED);
        pauseStartNs = System.nanoTime();
        paused = true;
        vm.pause();
        long pausedNs = System.nanoTime();
        pauseMs = millis(pausedNs - pauseStartNs);
        byte[] state = vm.saveState();
        long savedNs = System.nanoTime();
        stateMs = millis(savedNs - pausedNs);
        streamer.tracker().harvest();
        lastPages = sendDirty(streamer.tracker());
        pagesSent += lastPages;
        boolean hashed = config.memoryCheck() == MemoryCheck.BEFORE_SWITCH;
        long hash = hashed ? hash() : 0;
        connection.send(new Message.State(state, hashed, hash));
        lastPagesMs = sinceMs(savedNs);
        ready = inbox.await(Message.Ready.class, limit(config.readyMs()), "build the VM");
    }

    private long hash() {
        long startedNs = System.nanoTime();
        long hash = MemoryHash.of(vm.memory(), vm.disks());
        hashMs = sinceMs(startedNs);
        return hash;
    }

    /** Makes everything as it was before the notice, but for a new term if that is what it took (I2, I4). */
    private EvacuationException rollBack(RuntimeException cause, OwnerRecord owner) {
        LOG.warn("The evacuation to {} failed, the VM goes on here: {}", request.targetName(), cause.getMessage());
        if (paused) {
            vm.resume();
        }
        if (suspended) {
            streamer.resume(owner);
        }
        if (connection != null) {
            connection.abort("the source keeps the VM: " + cause.getMessage());
        }
        source.enter(SourceState.RUNNING);
        return new EvacuationException(
                "the evacuation to " + request.targetName() + " failed and the VM keeps running here: "
                        + cause.getMessage(),
                VmFate.RUNS_HERE,
                cause);
    }

    /** The last step that can still be taken back: from here on this host runs the VM only after winning the next term. */
    private long giveRight() {
        if (source.lease().isEmpty()) {
            return 0;
        }
        return source.lease()
                .get()
                .give()
                .orElseThrow(() -> new StreamException(
                        "the VM's lease could not be renewed for a while, and what is left of it is too short to hand"
                                + " the VM over: is the owner registry reachable?"));
    }

    /**
     * Lets the target claim the term; when it does not say that it did, claims it for this host.
     *
     * @return what the target said; empty when it owns the VM but could not say so
     * @throws EvacuationException when the VM stays here, or when nobody knows who owns it
     */
    private Optional<Message.Committed> switchOver(long newTerm) {
        RuntimeException doubt;
        try {
            connection.send(new Message.Switch(newTerm, grantMillis));
            Message.Committed committed =
                    inbox.await(Message.Committed.class, limit(config.switchMs()), "take the VM over");
            if (committed.owner().term() == newTerm
                    && committed.owner().vmId().equals(streamer.store().vmId())) {
                return Optional.of(committed);
            }
            doubt = new WireException("the target committed " + committed.owner() + ", not term " + newTerm);
        } catch (RuntimeException e) {
            doubt = e;
        }
        LOG.warn("Not clear whether {} runs the VM, asking the registry: {}", request.targetName(), doubt.getMessage());
        // Until then it may run there by the right it was given, and its claim is better than ours: it has the newer
        // state.
        source.lease().ifPresent(LeaseKeeper::awaitGivenOver);
        OwnerRecord record = OwnershipRace.record(streamer.store().vmId(), newTerm, source.hostName());
        OwnerRecord mine = source.lease().map(lease -> lease.withLease(record)).orElse(record);
        long claimedNs = System.nanoTime();
        Optional<OwnerRecord> standing = OwnershipRace.run(streamer.store().owners(), mine, config.ownershipMs());
        if (standing.isEmpty()) {
            throw new EvacuationException(
                    "nobody could find out who owns the VM in term " + newTerm + ", so it stays stopped here: "
                            + "make the store reachable again, then restore the VM",
                    VmFate.STOPPED_OWNER_UNKNOWN,
                    doubt);
        }
        if (standing.get().nonce().equals(mine.nonce())) {
            source.lease().ifPresent(lease -> lease.take(mine, claimedNs));
            throw rollBack(doubt, mine);
        }
        LOG.info("{} owns the VM in term {}", standing.get().host(), newTerm);
        return Optional.empty();
    }

    /** The VM is gone; what still comes here follows it, and memory is compared if that was asked for. */
    private void afterwards() {
        CompletableFuture<Long> hash = new CompletableFuture<>();
        if (config.memoryCheck() == MemoryCheck.AFTER_SWITCH) {
            Thread hasher = new Thread(() -> hash.complete(hash()), "memory-hash");
            hasher.setDaemon(true);
            hasher.start();
        } else {
            hash.complete(0L);
        }
        source.enter(SourceState.FORWARDING);
        try {
            forward();
            boolean hashed = config.memoryCheck() == MemoryCheck.AFTER_SWITCH;
            connection.send(new Message.Bye(hashed, hashed ? hash.get(limit(60_000), TimeUnit.MILLISECONDS) : 0));
            Message.Bye bye = inbox.await(Message.Bye.class, limit(BYE_LIMIT_MS), "say goodbye");
            hashEqual = config.memoryCheck() == MemoryCheck.BEFORE_SWITCH
                    || hashed && bye.hashed() && bye.memoryHash() == hash.join();
            if (hashed && !hashEqual) {
                LOG.error(
                        "Guest memory or a disk differs between the hosts: the VM on {} is damaged",
                        request.targetName());
            }
        } catch (Exception e) {
            // The VM runs elsewhere and nothing here can change that: only the report is poorer.
            LOG.warn("After the hand-over: {}", e.toString());
        }
    }

    private void forward() {
        if (source.heldFrames().isEmpty()) {
            return;
        }
        long startedNs = System.nanoTime();
        long quietSinceNs = startedNs;
        while (true) {
            int frames = source.heldFrames().get().drain(connection::sendEthernet, DRAIN_MS);
            if (frames > 0) {
                framesForwarded += frames;
                quietSinceNs = System.nanoTime();
            }
            boolean quiet =
                    sinceMs(quietSinceNs) >= config.forwardQuietMs() && sinceMs(startedNs) >= config.forwardMinMs();
            if (frames < 0 || quiet || sinceMs(startedNs) >= config.forwardMaxMs() || leftMs() <= 0) {
                return;
            }
            connection.checkOpen();
        }
    }

    private EvacuationReport report(Optional<Message.Committed> committed, long committedNs, long newTerm) {
        double noticeToSwitchMs = committed.isPresent() ? millis(committedNs - noticeNs) : -1;
        return new EvacuationReport(
                noticeToSwitchMs,
                sinceMs(noticeNs),
                committed.isPresent() ? millis(committedNs - pauseStartNs) : -1,
                pauseMs,
                stateMs,
                lastPagesMs,
                ready.applyMicros() / 1e3,
                ready.buildMicros() / 1e3,
                committed.map(c -> c.claimMicros() / 1e3).orElse(-1.0),
                committed.map(c -> c.resumeMicros() / 1e3).orElse(-1.0),
                connection.bytesSent(),
                pagesSent,
                lastPages,
                rounds,
                hydratedFrom,
                inbox.hydrated.millis(),
                config.memoryCheck(),
                hashEqual,
                hashMs,
                framesForwarded,
                request.targetName(),
                newTerm);
    }

    private static double sinceMs(long startedNs) {
        return millis(System.nanoTime() - startedNs);
    }

    private static double millis(long nanos) {
        return nanos / 1e6;
    }

    /** HYDRATED comes at any time, so it does not queue. */
    private static final class SourceInbox extends Inbox {
        private volatile Message.Hydrated hydrated;

        @Override
        public void onMessage(Message message) {
            if (message instanceof Message.Hydrated done) {
                hydrated = done;
            } else {
                super.onMessage(message);
            }
        }
    }
}
