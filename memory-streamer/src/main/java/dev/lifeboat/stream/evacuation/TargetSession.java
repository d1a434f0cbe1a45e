// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.AddressSpace;
import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.FrameInjector;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.MemoryHash;
import dev.lifeboat.stream.StreamException;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.stream.wire.Message;
import dev.lifeboat.stream.wire.WireConnection;
import dev.lifeboat.stream.wire.WireException;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The arrival of one VM. The session's thread {@code evacuation-target} goes through the states; runs are applied on
 * the connection's event loop, pages of the store on the threads of {@code VmStore.restore}.
 */
final class TargetSession extends Inbox {
    private static final Logger LOG = LoggerFactory.getLogger(TargetSession.class);

    /** Rounds go on as long as the source thinks right; a source that is alive but never ends is cut off here. */
    private static final long TRANSFER_LIMIT_MS = TimeUnit.HOURS.toMillis(1);

    private static final long REST_LIMIT_MS = 10_000;
    private static final int HELD_FRAMES = 1024;
    private static final long FRAME_WAIT_MS = 1_000;
    private static final long GOODBYE_LIMIT_MS = 120_000;

    private final EvacuationTarget target;
    private final EvacuationConfig config;
    private final WireConnection connection;
    private final HelloInfo hello;
    private final Thread thread = new Thread(this::run, "evacuation-target");
    private final CompletableFuture<Void> hydration = new CompletableFuture<>();
    private final BlockingQueue<ByteBuffer> frames = new ArrayBlockingQueue<>(HELD_FRAMES);

    /** By address space; set before HELLO_OK is sent, and so before the first run. */
    private volatile List<ArrivalMap> maps = List.of();
    /** Runs are welcome between HELLO_OK and STATE. */
    private volatile boolean receiving;

    private volatile boolean running;
    /** The VM will not run here: no page may be written any more. */
    private volatile boolean stopped;

    // The event loop's.
    private final RunCodec codec = new RunCodec();
    private final ByteBuffer payloadScratch = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final long pagesAddress = NativeMemory.addressOf(pages);
    private volatile long stateArrivedNs;
    /** Before READY was sent: what the source states in its answer was true after it. */
    private long readyNs;

    private List<StreamedDisk> disks = List.of();
    private Thread hydrator;
    private long hydratesFrom;
    private double hydrateMs;

    TargetSession(EvacuationTarget target, WireConnection connection, HelloInfo hello) {
        this.target = target;
        this.connection = connection;
        this.hello = hello;
        config = target.config();
    }

    void start() {
        thread.setDaemon(true);
        thread.start();
    }

    void close() {
        end(new StreamException("the target was closed"));
        connection.close();
    }

    // The event loop.

    @Override
    public void onMessage(Message message) {
        if (message instanceof Message.RoundEnd round) {
            // Everything before it was applied on this very thread.
            connection.send(new Message.RoundAck(round.round()));
            return;
        }
        if (message instanceof Message.State) {
            stateArrivedNs = System.nanoTime();
            receiving = false;
        }
        super.onMessage(message);
    }

    @Override
    public void onRun(int space, long firstPage, int pageCount, byte encoding, ByteBuf payload) {
        if (!receiving) {
            throw new WireException("pages arrived outside of the transfer");
        }
        if (space >= maps.size()) {
            throw new WireException("pages of address space " + space + " of a VM with " + maps.size());
        }
        ArrivalMap map = maps.get(space);
        if (!map.isRange(firstPage, pageCount) || pageCount > RunCodec.MAX_RUN_PAGES) {
            throw new WireException(pageCount + " pages from " + firstPage + " are not within address space " + space);
        }
        if (!RunCodec.isPlausible(encoding, payload.readableBytes(), pageCount)) {
            throw new WireException("a run of encoding " + encoding + " with " + payload.readableBytes() + " bytes for "
                    + pageCount + " pages");
        }
        if (encoding == RunCodec.ZERO) {
            map.receive(firstPage, pageCount, 0);
            return;
        }
        pages.clear();
        codec.decode(encoding, direct(payload), pageCount, pages);
        map.receive(firstPage, pageCount, pagesAddress);
    }

    private ByteBuffer direct(ByteBuf payload) {
        if (payload.isDirect() && payload.nioBufferCount() == 1) {
            return payload.nioBuffer();
        }
        payloadScratch.clear().limit(payload.readableBytes());
        payload.readBytes(payloadScratch);
        return payloadScratch.flip();
    }

    @Override
    public void onEthernet(ByteBuf frame) {
        if (!running) {
            throw new WireException("an Ethernet frame before the switch");
        }
        ByteBuffer copy = ByteBuffer.allocate(frame.readableBytes());
        frame.readBytes(copy);
        try {
            // The guest takes frames faster than a link brings them; waiting here holds the source back.
            if (!frames.offer(copy.flip(), FRAME_WAIT_MS, TimeUnit.MILLISECONDS)) {
                LOG.warn("A forwarded frame is lost: the guest takes none");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // The session's thread.

    private void run() {
        boolean orderly = false;
        try {
            LiveVm vm;
            Message.Switch order;
            try {
                prepare();
                vm = receive();
                order = await(Message.Switch.class, config.readyMs(), "switch");
                if (order.term() != hello.term() + 1) {
                    throw new WireException("SWITCH to term " + order.term() + " after " + hello.term());
                }
            } catch (RuntimeException e) {
                orderly = true;
                giveUp(e);
                return;
            }
            takeOver(vm, order);
            orderly = true;
        } finally {
            if (!orderly) {
                connection.close();
                StreamException why = new StreamException("the arrival of the VM ended with an internal error");
                target.arrival().completeExceptionally(why);
                target.complete().completeExceptionally(why);
            }
        }
    }

    private void prepare() {
        VmStore store = target.store();
        if (!hello.vmId().equals(store.vmId())) {
            throw new StreamException("this target expects VM " + store.vmId() + ", not " + hello.vmId());
        }
        target.incoming().checkCompatible(hello);
        long lengthBytes = target.incoming().memory().lengthBytes();
        if (lengthBytes != hello.memoryBytes()) {
            throw new StreamException(
                    "the VM has " + hello.memoryBytes() + " bytes of memory, this target prepared " + lengthBytes);
        }
        maps = arrivalMaps();
        Optional<EpochManifest> manifest = findEpoch(store);
        hydratesFrom = manifest.map(EpochManifest::epoch).orElse(0L);
        target.enter(manifest.isPresent() ? TargetState.HYDRATING : TargetState.RECEIVING);
        receiving = true;
        connection.send(new Message.HelloOk(hydratesFrom));
        if (manifest.isPresent()) {
            hydrator = new Thread(() -> hydrate(manifest.get()), "hydrator");
            hydrator.setDaemon(true);
            hydrator.start();
        } else {
            hydration.complete(null);
        }
    }

    private List<ArrivalMap> arrivalMaps() {
        disks = target.incoming().disks();
        List<Long> blocks = disks.stream().map(StreamedDisk::blocks).toList();
        if (!blocks.equals(hello.diskBlocks())) {
            throw new StreamException(
                    "the VM has disks of " + hello.diskBlocks() + " blocks of 4 KiB, this target prepared " + blocks);
        }
        boolean keepHashes = config.memoryCheck() == MemoryCheck.AFTER_SWITCH;
        List<ArrivalMap> all = new ArrayList<>();
        all.add(new ArrivalMap(0, AddressSpace.of(target.incoming().memory()), keepHashes));
        for (StreamedDisk disk : disks) {
            all.add(new ArrivalMap(all.size(), AddressSpace.of(disk), keepHashes));
        }
        return List.copyOf(all);
    }

    private VmShape shape() {
        return new VmShape(
                hello.memoryBytes() / GuestMemory.PAGE_BYTES,
                disks.stream()
                        .map(disk -> new VmShape.DiskShape(disk.blocks(), disk.baseImage()))
                        .toList());
    }

    /** The epoch that the source counts on; none when the store cannot give it: then the source sends everything. */
    private Optional<EpochManifest> findEpoch(VmStore store) {
        try {
            // Also opens the way to the registry before the switch needs it.
            Optional<OwnerRecord> newest = store.owners().newest();
            if (newest.isPresent() && newest.get().term() > hello.term()) {
                throw new StreamException("the source owns the VM in term " + hello.term() + ", but "
                        + newest.get().host() + " owns term " + newest.get().term());
            }
            if (hello.newestEpoch() == 0) {
                return Optional.empty();
            }
            Optional<EpochManifest> manifest = store.epoch(hello.newestEpoch());
            if (manifest.isEmpty()) {
                LOG.warn("The store does not show epoch {}; the source sends everything", hello.newestEpoch());
            }
            return manifest.filter(epoch -> epoch.shape().equals(shape()));
        } catch (StoreException e) {
            LOG.warn("The store does not help, the source sends everything: {}", e.getMessage());
            return Optional.empty();
        }
    }

    private void hydrate(EpochManifest manifest) {
        long startedNs = System.nanoTime();
        try {
            long pagesRead = 0;
            long bytesRead = 0;
            for (int space = 0; space < maps.size(); space++) {
                ArrivalMap map = maps.get(space);
                VmStore.RestoreStats stats = target.store()
                        .restore(
                                manifest,
                                space,
                                (firstPage, count, content) -> hydrate(map, firstPage, count, content));
                pagesRead += stats.pages();
                bytesRead += stats.bytesRead();
            }
            hydrateMs = (System.nanoTime() - startedNs) / 1e6;
            hydration.complete(null);
            connection.send(new Message.Hydrated(pagesRead, bytesRead, (long) hydrateMs));
        } catch (RuntimeException e) {
            hydration.completeExceptionally(e);
            end(new StreamException("filling memory from the store failed: " + e.getMessage(), e));
        }
    }

    private void hydrate(ArrivalMap map, long firstPage, int count, ByteBuffer content) {
        if (stopped) {
            throw new StreamException("the evacuation was given up");
        }
        map.hydrate(firstPage, count, NativeMemory.addressOf(content) + content.position());
    }

    private LiveVm receive() {
        awaitHydration();
        if (hydratesFrom != 0) {
            target.enter(TargetState.RECEIVING);
        }
        Message.State state = await(Message.State.class, TRANSFER_LIMIT_MS, "send the VM's state");
        if (state.hashed()) {
            long hash = MemoryHash.of(target.incoming().memory(), disks);
            if (hash != state.memoryHash()) {
                throw new StreamException("memory or a disk differs from the source's: hash %016x, not %016x"
                        .formatted(hash, state.memoryHash()));
            }
        }
        long startedNs = System.nanoTime();
        LiveVm vm = target.incoming().build(state.state());
        // Before the guest runs: what it writes from its first instruction on is not in any epoch.
        vm.dirtyLog().start();
        long builtNs = System.nanoTime();
        target.enter(TargetState.READY);
        readyNs = System.nanoTime();
        connection.send(new Message.Ready(micros(startedNs - stateArrivedNs), micros(builtNs - startedNs)));
        return vm;
    }

    private void awaitHydration() {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(config.hydrateMs());
        while (!hydration.isDone()) {
            if (System.nanoTime() > end) {
                throw new StreamException("memory was not filled from the store within " + config.hydrateMs() + " ms");
            }
            connection.checkOpen();
            try {
                hydration.get(100, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                // The loop looks at the connection and goes on.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new StreamException("interrupted", e);
            } catch (ExecutionException e) {
                throw new StreamException(
                        "filling memory from the store failed: " + e.getCause().getMessage(), e.getCause());
            }
        }
    }

    /**
     * From here on nothing but the registry decides: the source may be gone, and the VM may be ours alone (I4). In lease mode
     * the guest runs at once, by the right that the source gave, and the registry is asked behind its back.
     */
    private void takeOver(LiveVm built, Message.Switch order) {
        long switchedNs = System.nanoTime();
        Optional<LeaseKeeper> lease = target.lease()
                .map(terms -> new LeaseKeeper(
                        terms,
                        target.store().owners(),
                        hello.vmId(),
                        built,
                        target.incoming()::resume,
                        follower -> target.onLost().accept(follower)));
        LiveVm vm = lease.map(LeaseKeeper::vm).orElse(built);
        long resumedNs = 0;
        if (lease.isPresent() && order.grantMillis() > 0 && lease.get().grant(readyNs, order.grantMillis())) {
            target.enter(TargetState.GRANTED);
            resume(lease);
            resumedNs = System.nanoTime();
        }
        boolean ranBefore = resumedNs != 0;
        OwnerRecord record = OwnershipRace.record(hello.vmId(), order.term(), target.hostName());
        OwnerRecord mine = lease.map(keeper -> keeper.withLease(record)).orElse(record);
        long claimNs = System.nanoTime();
        Optional<OwnerRecord> standing = OwnershipRace.run(target.store().owners(), mine, config.ownershipMs());
        if (standing.isEmpty() || !standing.get().nonce().equals(mine.nonce())) {
            lease.ifPresent(LeaseKeeper::lose);
            lease.ifPresent(LeaseKeeper::close);
            running = false;
            giveUp(new StreamException(
                    standing.isEmpty()
                            ? "nobody could find out who owns the VM in term " + order.term()
                                    + ", so it does not run here"
                            : standing.get().host() + " owns the VM in term " + order.term()));
            return;
        }
        long ownedNs = System.nanoTime();
        lease.ifPresent(keeper -> keeper.take(mine, claimNs));
        target.enter(TargetState.OWNER);
        if (!ranBefore) {
            resume(lease);
            resumedNs = System.nanoTime();
        }
        long resumeNs = resumedNs - (ranBefore ? switchedNs : ownedNs);
        tellSource(new Message.Committed(standing.get(), micros(ownedNs - claimNs), micros(resumeNs), ranBefore));
        target.enter(TargetState.RUNNING);
        target.arrival()
                .complete(new Arrival(
                        vm,
                        standing.get(),
                        lease,
                        baseline(),
                        hello,
                        maps.stream().mapToLong(ArrivalMap::hydratedPages).sum(),
                        maps.stream().mapToLong(map -> map.received().count()).sum(),
                        hydrateMs,
                        (resumedNs - switchedNs) / 1e6));
        boolean equal = forwardedFramesUntilBye();
        connection.close();
        target.enter(TargetState.COMPLETE);
        free();
        target.complete().complete(equal);
    }

    /** The guest's first instruction here; behind a lease it runs when the lease is there. */
    private void resume(Optional<LeaseKeeper> lease) {
        running = true;
        try {
            if (lease.isPresent()) {
                lease.get().vm().resume();
            } else {
                target.incoming().resume();
            }
        } catch (RuntimeException e) {
            target.arrival().completeExceptionally(e);
            target.complete().completeExceptionally(e);
            throw e;
        }
    }

    private void free() {
        maps.forEach(ArrivalMap::free);
    }

    private Baseline baseline() {
        // Without the store's help nothing is known about the epochs there may be.
        return hydratesFrom == 0
                ? Baseline.unknown()
                : Baseline.epoch(
                        hydratesFrom, maps.stream().map(ArrivalMap::received).toList());
    }

    private void tellSource(Message message) {
        try {
            connection.send(message);
        } catch (RuntimeException e) {
            LOG.debug("The source is gone", e);
        }
    }

    private boolean forwardedFramesUntilBye() {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(GOODBYE_LIMIT_MS);
        boolean equal = true;
        try {
            while (System.nanoTime() < end) {
                ByteBuffer frame = frames.poll(10, TimeUnit.MILLISECONDS);
                if (frame != null) {
                    inject(frame);
                    continue;
                }
                Optional<Message> message = poll(0);
                if (message.isPresent() && message.get() instanceof Message.Bye bye) {
                    boolean hashed = bye.hashed() && config.memoryCheck() == MemoryCheck.AFTER_SWITCH;
                    long hash = hashed
                            ? maps.stream().mapToLong(ArrivalMap::contentHash).sum()
                            : 0;
                    equal = !hashed || hash == bye.memoryHash();
                    tellSource(new Message.Bye(hashed, hash));
                    break;
                }
            }
        } catch (StreamException e) {
            LOG.info("The source is gone: {}", e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!equal) {
            LOG.error("Guest memory or a disk differs from what the source had: this VM is damaged");
        }
        return equal;
    }

    private void inject(ByteBuffer frame) {
        if (target.injector().isEmpty()) {
            return;
        }
        FrameInjector injector = target.injector().get();
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(FRAME_WAIT_MS);
        while (!injector.inject(frame)) {
            if (System.nanoTime() > end) {
                LOG.warn("A forwarded frame is lost: the guest takes none");
                return;
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /** Nobody writes the VM's memory any more. */
    private boolean comeToRest() {
        stopped = true;
        receiving = false;
        boolean quiet = connection.awaitRest(REST_LIMIT_MS);
        try {
            if (hydrator != null) {
                hydrator.join(REST_LIMIT_MS);
                quiet &= !hydrator.isAlive();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            quiet = false;
        }
        return quiet;
    }

    private void giveUp(RuntimeException why) {
        LOG.warn("The VM from {} does not run here: {}", hello.hostName(), why.getMessage());
        connection.abort(String.valueOf(why.getMessage()));
        try {
            if (comeToRest()) {
                target.incoming().discard();
                free();
            } else {
                LOG.warn("The store still fills memory; it is given back when this process ends");
            }
        } finally {
            target.enter(TargetState.FAILED);
            target.arrival().completeExceptionally(why);
            target.complete().completeExceptionally(why);
        }
    }

    private static long micros(long nanos) {
        return TimeUnit.NANOSECONDS.toMicros(nanos);
    }
}
