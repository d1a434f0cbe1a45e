// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import com.lmax.disruptor.EventHandler;
import com.lmax.disruptor.ExceptionHandler;
import com.lmax.disruptor.InsufficientCapacityException;
import com.lmax.disruptor.RingBuffer;
import com.lmax.disruptor.Sequence;
import com.lmax.disruptor.dsl.Disruptor;
import com.lmax.disruptor.dsl.ProducerType;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.RunCodec;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * The way of a run from guest memory to the store or a peer: an LMAX Disruptor ring of preallocated events. One
 * producer publishes runs; {@code encoders} threads copy each run out of guest memory once and encode it, taking turns;
 * one sink thread hands the results on in the published order. Nothing is allocated and no lock is taken per run.
 *
 * <p>Memory order: what the producer wrote before {@link #publish} is visible to the encoders (ring publication), and
 * what the sink did is visible to the producer after {@link #drain}. Guest memory itself may change while it is copied;
 * such a page is dirty again and follows later.
 */
public final class PagePipeline implements AutoCloseable {
    /** How long a full ring may stand still before the pass is given up: longer than the store's own limit, 150 s. */
    private static final long STALL_LIMIT_NS = TimeUnit.SECONDS.toNanos(180);

    /** 2^64 divided by the golden ratio: spreads neighbouring blocks, and strided ones, over the encoders. */
    private static final long SPREAD = 0x9e37_79b9_7f4a_7c15L;

    private static final long RECHECK_NS = TimeUnit.MILLISECONDS.toNanos(2);

    private final Disruptor<Event> disruptor;
    private final RingBuffer<Event> ring;
    private long lastPublished = -1;

    private volatile RunSink sink;
    private volatile RuntimeException failure;
    private volatile long lastSunk = -1;
    private volatile Thread waiter;
    private volatile boolean closed;
    private final boolean hotPages;
    /** Of the epoch under way; only {@link #epochCommitted} makes it better, so no failure can be forgotten. */
    private Outcome outcome = Outcome.UNKNOWN;

    /** What an event asks for. */
    private enum Kind {
        /** Encode these pages and hand them on. */
        RUN,
        /** Everything before it has been handed on. */
        FLUSH,
        /** The runs after it are another epoch; each encoder hears of it between the runs of the two. */
        EPOCH
    }

    private static final class Event {
        Kind kind;
        final EncodedRun run = new EncodedRun();
        /** Of an EPOCH: what became of the epoch before. */
        Outcome outcome;

        int space;
        long firstPage;
        int count;
        /** 0: pages that were never touched, unless they are of a disk. */
        long address;
        /** The disk to read them from; null when they are in our memory. */
        StreamedDisk disk;
    }

    /** What became of an epoch. */
    private enum Outcome {
        COMMITTED,
        GIVEN_UP,
        /** The next epoch may not continue ours. */
        UNKNOWN
    }

    /**
     * Starts the threads of a pipeline to a peer.
     *
     * @param name in thread names
     * @param encoders 1 is right below 4 processors
     * @param ringSize a power of two; each event owns 64 KiB
     */
    public PagePipeline(String name, int encoders, int ringSize) {
        this(name, encoders, ringSize, false, 0);
    }

    /**
     * Starts the threads of a pipeline to a store: runs are compressed with zstd while the store does not keep up, and
     * pages that are written again and again become deltas.
     *
     * @param hotPagesBytes memory for copies of such pages, shared out among the encoders; 0: no deltas
     */
    public static PagePipeline toStore(String name, int encoders, int ringSize, long hotPagesBytes) {
        return new PagePipeline(name, encoders, ringSize, true, hotPagesBytes);
    }

    private PagePipeline(String name, int encoders, int ringSize, boolean toStore, long hotPagesBytes) {
        if (encoders < 1 || encoders > 64) {
            throw new IllegalArgumentException(encoders + " encoders: 1 to 64 are possible");
        }
        int hotPagesEach = (int) Math.min(1 << 20, hotPagesBytes / encoders / GuestMemory.PAGE_BYTES);
        hotPages = hotPagesEach > 0;
        int backlogLimit = toStore ? ringSize / 4 * 3 : Integer.MAX_VALUE;
        AtomicInteger number = new AtomicInteger();
        disruptor = new Disruptor<>(
                Event::new,
                ringSize,
                task -> {
                    int n = number.getAndIncrement();
                    Thread thread =
                            new Thread(task, name + (n < encoders ? "-encoder-" + n : n == encoders ? "-sink" : "-x"));
                    thread.setDaemon(true);
                    return thread;
                },
                ProducerType.SINGLE,
                new PipelineWait());
        disruptor.setDefaultExceptionHandler(new Unexpected());
        Encoder[] workers = new Encoder[encoders];
        Arrays.setAll(workers, i -> new Encoder(i, encoders, backlogLimit, hotPagesEach));
        disruptor.handleEventsWith(workers).then((EventHandler<Event>) this::sink);
        ring = disruptor.start();
    }

    /**
     * Where the runs published from now on go. Runs of a pass that was not drained are dropped. To a store, this begins
     * an epoch; the one before is given up unless {@link #epochCommitted} was called.
     */
    public void begin(RunSink newSink) {
        abandon();
        failure = null;
        sink = newSink;
        if (hotPages) {
            publish(Kind.EPOCH, 0, 0, 0, 0, null);
            outcome = Outcome.GIVEN_UP;
        }
    }

    /** Everything drained since {@link #begin} is durable and counts. */
    public void epochCommitted() {
        outcome = Outcome.COMMITTED;
    }

    /** The next epoch may continue from another one than the last that was committed here. */
    public void forgetEpochs() {
        outcome = Outcome.UNKNOWN;
    }

    /** Drops what is under way; returns when the sink is at rest. */
    public void abandon() {
        if (lastSunk < lastPublished) {
            failure = new StreamException("the pass was given up");
            awaitSunk(publishFlush());
        }
    }

    /**
     * Queues one run; the bytes are read soon, until {@link #drain} returns.
     *
     * @param space see {@link PageRun#space}
     * @param address of the first page's bytes; 0 for pages that are zero and must not be read
     * @throws RuntimeException what the sink failed with
     */
    public void publish(int space, long firstPage, int count, long address) {
        checkSink();
        publish(Kind.RUN, space, firstPage, count, address, null);
    }

    /** Queues one run of blocks, which an encoder reads from the disk. */
    public void publish(int space, long firstBlock, int count, StreamedDisk disk) {
        checkSink();
        publish(Kind.RUN, space, firstBlock, count, 0, disk);
    }

    private void checkSink() {
        RuntimeException failed = failure;
        if (failed != null) {
            throw failed;
        }
    }

    /** How many runs can be published without waiting; any thread. */
    long freeRuns() {
        return ring.remainingCapacity();
    }

    private long publishFlush() {
        publish(Kind.FLUSH, 0, 0, 0, 0, null);
        return lastPublished;
    }

    private void publish(Kind kind, int space, long firstPage, int count, long address, StreamedDisk disk) {
        long sequence = next();
        Event event = ring.get(sequence);
        event.kind = kind;
        event.space = space;
        event.firstPage = firstPage;
        event.count = count;
        event.address = address;
        event.disk = disk;
        event.outcome = outcome;
        lastPublished = sequence;
        ring.publish(sequence);
    }

    private long next() {
        long started = 0;
        while (true) {
            try {
                return ring.tryNext();
            } catch (InsufficientCapacityException full) {
                long now = System.nanoTime();
                if (started == 0) {
                    started = now;
                } else if (now - started > STALL_LIMIT_NS || closed) {
                    throw stalled();
                }
                LockSupport.parkNanos(20_000);
            }
        }
    }

    private StreamException stalled() {
        return new StreamException("the page pipeline stands still: "
                + (closed
                        ? "it is closed"
                        : "store or peer took nothing for " + TimeUnit.NANOSECONDS.toSeconds(STALL_LIMIT_NS) + " s"));
    }

    /**
     * Returns when every run published so far has passed the sink.
     *
     * @throws RuntimeException what the sink failed with; runs after the failed one were dropped
     */
    public void drain() {
        awaitSunk(publishFlush());
        RuntimeException failed = failure;
        if (failed != null) {
            failure = null;
            throw failed;
        }
    }

    private void awaitSunk(long target) {
        long started = System.nanoTime();
        waiter = Thread.currentThread();
        try {
            while (lastSunk < target) {
                // The limit of the park covers an unpark between the check and the park that was used up elsewhere.
                LockSupport.parkNanos(this, RECHECK_NS);
                if (closed || System.nanoTime() - started > STALL_LIMIT_NS) {
                    throw stalled();
                }
            }
        } finally {
            waiter = null;
        }
    }

    private void sink(Event event, long sequence, boolean endOfBatch) {
        if (failure == null) {
            try {
                switch (event.kind) {
                    case RUN -> event.run.handTo(sink, event.space, event.firstPage);
                    case FLUSH -> sink.flush();
                    case EPOCH -> {
                        // For the encoders.
                    }
                }
            } catch (RuntimeException e) {
                failure = e;
            }
        }
        lastSunk = sequence;
        if (event.kind == Kind.FLUSH) {
            LockSupport.unpark(waiter);
        }
    }

    /**
     * Copies and encodes its share of the runs; one thread each. With hot pages all runs of a page are one encoder's, so
     * that it meets them in their order and nobody else keeps that page.
     */
    private final class Encoder implements EventHandler<Event> {
        private final int turn;
        private final int of;
        /** So many runs encoded and not taken by the sink are a sink that does not keep up. */
        private final int backlogLimit;

        private final Optional<HotPages> pages;
        private final RunEncoder encoder;
        private Sequence done;

        Encoder(int turn, int of, int backlogLimit, int hotPagesEach) {
            this.turn = turn;
            this.of = of;
            this.backlogLimit = backlogLimit;
            pages = hotPagesEach > 0 ? Optional.of(new HotPages(hotPagesEach)) : Optional.empty();
            encoder = new RunEncoder(pages);
        }

        @Override
        public void setSequenceCallback(Sequence sequence) {
            done = sequence;
        }

        @Override
        public void onEvent(Event event, long sequence, boolean endOfBatch) {
            switch (event.kind) {
                case RUN -> {
                    if (isMine(event, sequence) && failure == null) {
                        encode(event, sequence);
                    }
                }
                case EPOCH -> pages.ifPresent(kept -> end(event.outcome, kept));
                case FLUSH -> {
                    // For the sink.
                }
            }
            // The sink need not wait for the whole batch.
            done.set(sequence);
        }

        private boolean isMine(Event event, long sequence) {
            if (of == 1) {
                return true;
            }
            long share =
                    pages.isEmpty() ? sequence : (event.firstPage / PageRun.MAX_PAGES + event.space) * SPREAD >>> 33;
            return share % of == turn;
        }

        private void encode(Event event, long sequence) {
            if (event.address == 0 && event.disk == null) {
                encoder.zero(event.run, event.space, event.firstPage, event.count);
                return;
            }
            if (event.disk == null) {
                NativeMemory.copy(event.address, event.run.address(), (long) event.count * GuestMemory.PAGE_BYTES);
            } else {
                event.disk.read(event.firstPage, event.count, event.run.address());
            }
            RunCodec.Effort effort = sequence - lastSunk > backlogLimit ? RunCodec.Effort.SMALL : RunCodec.Effort.FAST;
            encoder.encode(event.run, event.space, event.firstPage, event.count, effort);
        }

        private void end(Outcome outcome, HotPages kept) {
            if (outcome == Outcome.UNKNOWN) {
                kept.forgetAll();
            } else {
                kept.epochEnded(outcome == Outcome.COMMITTED);
            }
        }
    }

    /** A disk that cannot be read, or a bug: the pass fails with it, and the thread goes on. */
    private final class Unexpected implements ExceptionHandler<Event> {
        @Override
        public void handleEventException(Throwable e, long sequence, Event event) {
            failure = new StreamException(
                    "encoding pages from " + event.firstPage + " of address space " + event.space + " failed: "
                            + e.getMessage(),
                    e);
        }

        @Override
        public void handleOnStartException(Throwable e) {
            throw new StreamException("the page pipeline cannot start", e);
        }

        @Override
        public void handleOnShutdownException(Throwable e) {
            throw new StreamException("the page pipeline cannot stop", e);
        }
    }

    @Override
    public void close() {
        closed = true;
        disruptor.halt();
    }
}
