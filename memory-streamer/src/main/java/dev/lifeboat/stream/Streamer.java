// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.FencedException;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.store.VmStore;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Streams a running VM to its store, epoch by epoch, on the thread {@code streamer}. Each epoch: live passes while
 * the guest runs, so that little is left; then the cut: pause, save state, harvest, copy what is left, resume; then
 * upload and commit behind the guest's back. A store that fails never touches the guest: the pages stay dirty and are
 * sent again, with bounded back-off. One epoch is in flight at a time.
 *
 * <p>Reading, encoding and the cut take at most half of the time: on a host that cannot make an epoch in half an
 * interval, epochs come less often instead of taking the processor from the guest.
 *
 * <p>An evacuation {@link #suspend}s it, uses {@link #tracker()} itself, and {@link #resume}s it when it fails. A store
 * that moves with the VM is {@link #releaseStore released} before; then no epoch is made until it is regained, whatever
 * an evacuation does.
 */
public final class Streamer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Streamer.class);
    private static final long CLOSE_LIMIT_MS = 5_000;
    /** Copies of hot pages take at most this part of the guest's memory. */
    private static final int HOT_SHARE = 16;

    /** Where the streamer's thread is. */
    private enum Phase {
        /** Waits; or has never been started. */
        IDLE,
        /** Sends dirty pages while the guest runs. */
        LIVE,
        /** The guest is paused. */
        CUT,
        /** Uploads and commits; does not use the tracker before it has the outcome. */
        COMMIT
    }

    /** What the streamer's thread is to do next. */
    private enum Next {
        EPOCH,
        /** Let go of a store that moves elsewhere. */
        LET_GO,
        END
    }

    /** Ends an epoch because an evacuation wants the tracker. */
    private static final class Suspended extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Suspended() {
            super("suspended", null, false, false);
        }
    }

    /** However slow the host, the next epoch is begun after so many intervals at most. */
    private static final int LONGEST_REST_INTERVALS = 10;

    private static final int RAISED_RATE = 4;
    /** The first epoch does not wait longer for a guest that boots, or works hard from the start. */
    private static final long LONGEST_BOOT_MS = 45_000;
    /** Between two looks at whether it still boots. */
    private static final long BOOT_LOOK_MS = 1_000;

    private final StreamerConfig config;
    private final LiveVm vm;
    private final VmStore store;
    private final String vmDescription;
    private final StreamerListener listener;
    private final DirtyTracker tracker;
    private final PagePipeline pipeline;
    private final Arena arena;
    private final Thread thread = new Thread(this::run, "streamer");
    private final PageRun run = new PageRun();
    private final Histogram pausesUs = new Histogram(TimeUnit.MINUTES.toMicros(10), 3);

    /** Guards the fields below, and who uses the tracker. */
    private final Object lock = new Object();

    private Phase phase = Phase.IDLE;
    private volatile boolean suspendRequested;
    /** The store is elsewhere, or on its way. */
    private boolean storeReleased;
    /** Whether there is a {@link #writer}, for other threads. */
    private boolean writing;

    private boolean started;
    private boolean closed;
    private boolean fenced;
    /** Counts suspensions; an epoch begun before one does not touch the tracker after it. */
    private long generation;

    /** A VM without an epoch is not tracked before its first one; empty as soon as it is. */
    private Optional<Baseline> untracked = Optional.empty();

    private long forceRequested;
    private long forceServed;
    private boolean rateRaised;
    private OwnerRecord owner;
    private long epochs;
    private long newestEpoch;
    private long newestCutAtMillis;
    private long bytesStreamed;
    private long lagPages;
    private long synchronousPages;
    private long failures;
    private long failuresInARow;
    private String lastError = "";

    /** Used by the streamer's thread only. */
    private EpochWriter writer;
    /** The generation in which the epoch being made began; likewise. */
    private long epochGeneration;
    /** Of the thread's own. */
    private long bootEndNs;
    /** What the last epoch took before its commit; likewise. */
    private long workNs;

    private OwnerRecord writerOwner;

    /**
     * Takes in the baseline and starts the dirty log: call it before the guest may run. {@link #start} begins streaming. The
     * log of a VM that has no epoch yet starts with the first one: until then everything that exists is to be sent anyway.
     *
     * @param owner the record that this host has won
     * @param vmDescription the monitor's JSON, stored with each epoch
     */
    public Streamer(
            StreamerConfig config,
            LiveVm vm,
            VmStore store,
            OwnerRecord owner,
            Baseline baseline,
            String vmDescription,
            StreamerListener listener) {
        this.config = config;
        this.vm = vm;
        this.store = store;
        this.owner = owner;
        this.vmDescription = vmDescription;
        this.listener = listener;
        newestEpoch = baseline instanceof Baseline.Epoch epoch ? epoch.epoch() : 0;
        tracker = new DirtyTracker(vm);
        if (baseline instanceof Baseline.Nothing) {
            untracked = Optional.of(baseline);
        } else {
            tracker.start(baseline);
        }
        lagPages = tracker.dirtyPages();
        arena = new Arena(config.arenaBytes());
        long hotPagesBytes = Math.min(config.hotPagesBytes(), vm.memory().lengthBytes() / HOT_SHARE);
        pipeline = PagePipeline.toStore("page", config.encoders(), config.ringSize(), hotPagesBytes);
        thread.setDaemon(true);
    }

    /** Begins streaming. */
    public void start() {
        synchronized (lock) {
            started = true;
        }
        thread.start();
    }

    private void run() {
        long nextEpochNs = System.nanoTime() + firstEpochNs();
        bootEndNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LONGEST_BOOT_MS);
        try {
            for (Next next = awaitNext(nextEpochNs); next != Next.END; next = awaitNext(nextEpochNs)) {
                if (next == Next.LET_GO) {
                    dropWriter();
                    continue;
                }
                if (stillBoots()) {
                    nextEpochNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(BOOT_LOOK_MS);
                    continue;
                }
                long startedNs = System.nanoTime();
                boolean committed = tryEpoch();
                nextEpochNs = committed
                        ? startedNs + intervalNs()
                        : System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(retryMs());
            }
        } finally {
            if (writer != null) {
                writer.close();
            }
        }
    }

    private long firstEpochNs() {
        synchronized (lock) {
            return untracked.isPresent() ? TimeUnit.MILLISECONDS.toNanos(config.firstEpochMs()) : 0;
        }
    }

    /**
     * Whether the first epoch should wait for the guest: to track its writes costs it an exit a page, and what it writes
     * while it boots is written over soon.
     */
    private boolean stillBoots() {
        synchronized (lock) {
            if (untracked.isEmpty() || forceRequested > forceServed || System.nanoTime() - bootEndNs >= 0) {
                return false;
            }
        }
        return vm.isBusy();
    }

    /**
     * Epochs follow each other {@value #RAISED_RATE} times as often as configured, without regard for the time they take from
     * the guest, and the first one at once; or as usual again. For a host that may go away soon: less is left to send then.
     */
    public void raiseRate(boolean raise) {
        synchronized (lock) {
            if (raise && !rateRaised) {
                forceRequested++;
            }
            rateRaised = raise;
            lock.notifyAll();
        }
    }

    /** From the start of the last epoch to that of the next one. */
    private long intervalNs() {
        long intervalNs = TimeUnit.MILLISECONDS.toNanos(config.epochIntervalMs());
        synchronized (lock) {
            if (rateRaised) {
                return intervalNs / RAISED_RATE;
            }
        }
        return Math.max(intervalNs, Math.min(2 * workNs, LONGEST_REST_INTERVALS * intervalNs));
    }

    private long retryMs() {
        synchronized (lock) {
            int doublings = (int) Math.min(20, Math.max(0, failuresInARow - 1));
            return Math.min(config.retryMaxMs(), (long) config.retryMinMs() << doublings);
        }
    }

    private Next awaitNext(long dueNs) {
        synchronized (lock) {
            phase = Phase.IDLE;
            lock.notifyAll();
            while (!closed && !fenced) {
                if (storeReleased && writing) {
                    return Next.LET_GO;
                }
                boolean held = suspendRequested || storeReleased;
                long waitNs = forceRequested > forceServed ? 0 : dueNs - System.nanoTime();
                if (!held && waitNs <= 0) {
                    phase = Phase.LIVE;
                    return Next.EPOCH;
                }
                waitOnLock(held ? TimeUnit.SECONDS.toNanos(1) : waitNs);
            }
            return Next.END;
        }
    }

    private void waitOnLock(long nanos) {
        try {
            TimeUnit.NANOSECONDS.timedWait(lock, Math.max(1, nanos));
        } catch (InterruptedException e) {
            closed = true;
        }
    }

    private boolean tryEpoch() {
        long myGeneration;
        long forced;
        synchronized (lock) {
            myGeneration = generation;
            forced = forceRequested;
        }
        epochGeneration = myGeneration;
        try {
            epoch(myGeneration, forced);
            return true;
        } catch (Suspended e) {
            giveUp(myGeneration);
            return false;
        } catch (FencedException e) {
            giveUp(myGeneration);
            failed(e, forced);
            synchronized (lock) {
                if (generation != myGeneration) {
                    // An evacuation went on without this epoch. It decides who owns the VM, perhaps this host under a
                    // newer term than the epoch's.
                    return false;
                }
                fenced = true;
                lock.notifyAll();
            }
            LOG.error("Streaming has stopped: {}", e.getMessage());
            listener.fenced(e.getMessage());
            return false;
        } catch (RuntimeException e) {
            giveUp(myGeneration);
            failed(e, forced);
            listener.epochFailed(e);
            return false;
        }
    }

    /** Nothing of the epoch counts: its pages are dirty again (I2), unless a suspension has done that already. */
    private void giveUp(long myGeneration) {
        try {
            pipeline.abandon();
            if (writer != null) {
                writer.abandon();
            }
        } catch (RuntimeException e) {
            LOG.debug("After a failed epoch", e);
            dropWriter();
        }
        synchronized (lock) {
            if (generation == myGeneration) {
                tracker.failed();
            }
        }
    }

    private void dropWriter() {
        EpochWriter old = writer;
        writer = null;
        try {
            old.close();
        } catch (RuntimeException e) {
            LOG.debug("Closing a writer", e);
        }
        synchronized (lock) {
            writing = false;
            lock.notifyAll();
        }
    }

    private void failed(RuntimeException e, long forced) {
        synchronized (lock) {
            if (failuresInARow++ == 0) {
                LOG.warn("An epoch was not committed; the VM goes on and its pages are sent again: {}", e.getMessage());
                LOG.debug("The failure", e);
            }
            failures++;
            lastError = String.valueOf(e.getMessage());
            forceServed = Math.max(forceServed, forced);
            lock.notifyAll();
        }
    }

    private void epoch(long myGeneration, long forced) {
        // Before the writer may find that everything is to be sent: what exists is only known for good with the log on.
        beginTracking();
        openWriter();
        long startedNs = System.nanoTime();
        pipeline.begin(writer::append);
        livePasses();
        Cut cut = cut();
        arena.publishTo(pipeline);
        pipeline.drain();
        workNs = System.nanoTime() - startedNs;
        long bytes = writer.bytesInEpoch();
        EpochManifest manifest = writer.commit(vmDescription, cut.state, cut.atMillis);
        pipeline.epochCommitted();
        synchronized (lock) {
            newestEpoch = manifest.epoch();
            newestCutAtMillis = cut.atMillis;
            epochs++;
            bytesStreamed += bytes;
            if (generation == myGeneration) {
                tracker.committed();
                lagPages = tracker.dirtyPages();
            }
            if (failuresInARow > 0) {
                LOG.info("Epoch {} is committed after {} failures", manifest.epoch(), failuresInARow);
            }
            failuresInARow = 0;
            lastError = "";
            forceServed = Math.max(forceServed, forced);
            lock.notifyAll();
        }
        listener.epochCommitted(manifest, cut.pauseNs);
    }

    /** The log first: what the guest writes after it is logged, what it wrote before exists. */
    private void beginTracking() {
        synchronized (lock) {
            untracked.ifPresent(tracker::start);
            untracked = Optional.empty();
        }
    }

    private void openWriter() {
        OwnerRecord current;
        synchronized (lock) {
            current = owner;
        }
        if (writer != null && !current.equals(writerOwner)) {
            dropWriter();
        }
        if (writer == null) {
            synchronized (lock) {
                checkSuspended();
                writing = true;
            }
            openWriter(current);
            pipeline.forgetEpochs();
            try {
                requireBase(writer.baseEpoch());
            } catch (Suspended e) {
                // The next one is looked at in its place.
                dropWriter();
                throw e;
            }
        }
    }

    private void openWriter(OwnerRecord current) {
        try {
            writer = store.writer(current, shape());
            writerOwner = current;
        } finally {
            if (writer == null) {
                synchronized (lock) {
                    writing = false;
                    lock.notifyAll();
                }
            }
        }
    }

    /**
     * What is dirty is so relative to the newest epoch known here. A writer that continues another one, a former owner's
     * late write or the one before an epoch that got damaged, must be given everything.
     */
    private void requireBase(long baseEpoch) {
        synchronized (lock) {
            checkSuspended();
            if (baseEpoch != newestEpoch) {
                LOG.warn(
                        "The store goes on from epoch {}, not from {}: all of memory is sent again",
                        baseEpoch,
                        newestEpoch);
                tracker.markEverything();
            }
        }
    }

    private VmShape shape() {
        return new VmShape(
                vm.memory().pages(),
                vm.disks().stream()
                        .map(disk -> new VmShape.DiskShape(disk.blocks(), disk.baseImage()))
                        .toList());
    }

    private void livePasses() {
        long dirty = harvest();
        for (int pass = 0; pass < config.maxLivePasses() && dirty > config.cutPages(); pass++) {
            run.rewind();
            while (takeUnlessSuspended()) {
                tracker.publish(run, pipeline);
            }
            pipeline.drain();
            long left = harvest();
            // A pass that leaves more than nine tenths does not pay: the guest writes as fast as we send. But what does
            // not fit into the arena is sent while the guest waits: then another pass is better, as at a guest's boot.
            if (left > dirty * 9 / 10 && left * GuestMemory.PAGE_BYTES <= config.arenaBytes()) {
                break;
            }
            dirty = left;
        }
        checkSuspended();
    }

    /** Under the lock, which nobody else wants but a suspension that has run out of patience. */
    private boolean takeUnlessSuspended() {
        synchronized (lock) {
            checkSuspended();
            return tracker.takeNext(run);
        }
    }

    private long harvest() {
        synchronized (lock) {
            checkSuspended();
            lagPages = tracker.harvest();
            return lagPages;
        }
    }

    /** Also an epoch that began before a suspension that is over by now: its pages are dirty again already. */
    private void checkSuspended() {
        synchronized (lock) {
            if (suspendRequested || storeReleased || generation != epochGeneration) {
                throw new Suspended();
            }
        }
    }

    private record Cut(byte[] state, long atMillis, long pauseNs) {}

    /**
     * The cut. Order: state is saved before the harvest, because saving may complete requests and so write guest
     * memory; everything is copied out before the guest goes on. The disks are part of it: nothing is in flight in the
     * paused devices, so the blocks as they are now fit to the memory as it is now.
     */
    private Cut cut() {
        synchronized (lock) {
            checkSuspended();
            phase = Phase.CUT;
        }
        arena.clear();
        long synchronous = 0;
        byte[] state;
        long atMillis;
        long pausedNs = System.nanoTime();
        vm.pause();
        try {
            state = vm.saveState();
            atMillis = System.currentTimeMillis();
            tracker.harvest();
            run.rewind();
            while (tracker.takeNext(run)) {
                if (!run.isUntouched() && arena.hasRoomFor(run.count())) {
                    arena.add(run, tracker.space(run));
                } else {
                    tracker.publish(run, pipeline);
                    synchronous += run.isUntouched() ? 0 : run.count();
                }
            }
            if (synchronous > 0) {
                pipeline.drain();
            }
        } finally {
            vm.resume();
        }
        long pauseNs = System.nanoTime() - pausedNs;
        synchronized (lock) {
            phase = Phase.COMMIT;
            synchronousPages += synchronous;
            pausesUs.recordValue(Math.min(TimeUnit.NANOSECONDS.toMicros(pauseNs), pausesUs.getHighestTrackableValue()));
            lock.notifyAll();
        }
        return new Cut(state, atMillis, pauseNs);
    }

    /**
     * Makes an epoch now and waits for it.
     *
     * @return the number of the newest epoch, cut after this call began
     * @throws StreamException when it was not committed in time
     */
    public long forceEpoch(Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        synchronized (lock) {
            long failuresBefore = failures;
            // An epoch under way was perhaps cut before now: ask for one more than the thread has seen.
            long mine = ++forceRequested;
            lock.notifyAll();
            while (forceServed < mine) {
                long leftNs = end - System.nanoTime();
                if (closed || fenced || suspendRequested || storeReleased || leftNs <= 0) {
                    throw new StreamException("no epoch was committed: " + whyNoEpoch(limit));
                }
                waitOnLock(leftNs);
            }
            if (failures > failuresBefore && !lastError.isEmpty()) {
                throw new StreamException("the epoch was not committed: " + lastError);
            }
            return newestEpoch;
        }
    }

    private String whyNoEpoch(Duration limit) {
        if (closed) {
            return "streaming is closed";
        }
        if (fenced) {
            return lastError;
        }
        if (suspendRequested) {
            return "an evacuation is under way";
        }
        return storeReleased ? "the store has been given away" : "it took longer than " + limit.toMillis() + " ms";
    }

    /**
     * Stops streaming so that the caller may use {@link #tracker()}: an epoch not yet cut is given up, one that is
     * being committed is waited for, up to the limit. On return every page that the returned epoch does not hold is
     * dirty. A commit that hangs longer is left to itself: whether or not it succeeds, its pages are sent again.
     *
     * @return the newest epoch known to be committed, 0 when there is none
     */
    public long suspend(Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        synchronized (lock) {
            if (fenced) {
                throw new StreamException("another host owns this VM: " + lastError);
            }
            suspendRequested = true;
            lock.notifyAll();
            while (started && phase != Phase.IDLE && !closed && thread.isAlive()) {
                long leftNs = end - System.nanoTime();
                if (leftNs <= 0) {
                    if (phase == Phase.CUT) {
                        suspendRequested = false;
                        lock.notifyAll();
                        throw new StreamException(
                                "the store keeps a cut from ending; the VM's streaming could not be stopped within "
                                        + limit.toMillis() + " ms");
                    }
                    LOG.warn("The store does not answer; evacuating from epoch {} without waiting", newestEpoch);
                    break;
                }
                waitOnLock(leftNs);
            }
            generation++;
            beginTracking();
            tracker.failed();
            return newestEpoch;
        }
    }

    /** Streaming goes on after {@link #suspend}; pages that the caller sent elsewhere are dirty again (I2). */
    public void resume(OwnerRecord currentOwner) {
        synchronized (lock) {
            tracker.failed();
            owner = currentOwner;
            suspendRequested = false;
            lock.notifyAll();
        }
    }

    /**
     * Makes a last epoch and lets go of the store, so that it can go to another host: on return nothing here uses it.
     * The guest runs on and what it writes stays dirty, for an evacuation or for {@link #regainStore}.
     *
     * @return the newest epoch in the store
     * @throws StreamException when there was no last epoch in time, or an epoch keeps the store; then streaming goes on
     */
    public long releaseStore(Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        if (isStreaming()) {
            forceEpoch(limit);
        }
        synchronized (lock) {
            storeReleased = true;
            lock.notifyAll();
            while (started && thread.isAlive() && (phase != Phase.IDLE || writing)) {
                long leftNs = end - System.nanoTime();
                if (leftNs <= 0 || closed) {
                    storeReleased = false;
                    lock.notifyAll();
                    throw new StreamException("the store is still being written and could not be released within "
                            + limit.toMillis() + " ms");
                }
                waitOnLock(leftNs);
            }
            return newestEpoch;
        }
    }

    private boolean isStreaming() {
        synchronized (lock) {
            return started && !storeReleased;
        }
    }

    /** The store is here again; streaming goes on from the epoch that it knows, or sends everything. */
    public void regainStore() {
        synchronized (lock) {
            storeReleased = false;
            lock.notifyAll();
        }
    }

    public OwnerRecord owner() {
        synchronized (lock) {
            return owner;
        }
    }

    public VmStore store() {
        return store;
    }

    public String vmDescription() {
        return vmDescription;
    }

    /** To be used between {@link #suspend} and {@link #resume} only. */
    public DirtyTracker tracker() {
        return tracker;
    }

    public StreamerStats stats() {
        synchronized (lock) {
            return new StreamerStats(
                    epochs,
                    newestEpoch,
                    newestCutAtMillis,
                    bytesStreamed,
                    lagPages,
                    pausesUs.getValueAtPercentile(50) / 1e3,
                    pausesUs.getValueAtPercentile(99) / 1e3,
                    pausesUs.getMaxValue() / 1e3,
                    synchronousPages,
                    failures,
                    lastError);
        }
    }

    /** Stops streaming; an epoch under way is given up. The guest is not touched. */
    @Override
    public void close() {
        synchronized (lock) {
            closed = true;
            suspendRequested = true;
            lock.notifyAll();
        }
        if (started) {
            try {
                thread.join(CLOSE_LIMIT_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        pipeline.close();
        if (!thread.isAlive()) {
            // A thread that hangs in the store may still read the arena: then it stays until the process ends.
            arena.close();
        }
    }
}
