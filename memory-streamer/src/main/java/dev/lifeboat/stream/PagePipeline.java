// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import com.lmax.disruptor.BlockingWaitStrategy;
import com.lmax.disruptor.EventHandler;
import com.lmax.disruptor.ExceptionHandler;
import com.lmax.disruptor.InsufficientCapacityException;
import com.lmax.disruptor.RingBuffer;
import com.lmax.disruptor.dsl.Disruptor;
import com.lmax.disruptor.dsl.ProducerType;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.RunCodec;
import java.nio.ByteBuffer;
import java.util.Arrays;
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

    private static final long RECHECK_NS = TimeUnit.MILLISECONDS.toNanos(2);

    private final Disruptor<Event> disruptor;
    private final RingBuffer<Event> ring;
    private long lastPublished = -1;

    private volatile RunSink sink;
    private volatile RuntimeException failure;
    private volatile long lastSunk = -1;
    private volatile Thread waiter;
    private volatile boolean closed;

    private static final class Event {
        final ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
        final long pagesAddress = NativeMemory.addressOf(pages);
        final ByteBuffer payload = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
        int space;
        long firstPage;
        int count;
        /** 0: pages that were never touched, unless they are of a disk. */
        long address;
        /** The disk to read them from; null when they are in our memory. */
        StreamedDisk disk;

        byte encoding;
        int crc32c;
        boolean flush;
    }

    /**
     * Starts the threads.
     *
     * @param name in thread names
     * @param encoders 1 is right below 4 processors
     * @param ringSize a power of two; each event owns 128 KiB
     */
    public PagePipeline(String name, int encoders, int ringSize) {
        if (encoders < 1 || encoders > 64) {
            throw new IllegalArgumentException(encoders + " encoders: 1 to 64 are possible");
        }
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
                new BlockingWaitStrategy());
        disruptor.setDefaultExceptionHandler(new Unexpected());
        Encoder[] workers = new Encoder[encoders];
        Arrays.setAll(workers, i -> new Encoder(i, encoders));
        disruptor.handleEventsWith(workers).then((EventHandler<Event>) this::sink);
        ring = disruptor.start();
    }

    /** Where the runs published from now on go. Runs of a pass that was not drained are dropped. */
    public void begin(RunSink newSink) {
        abandon();
        failure = null;
        sink = newSink;
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
        publish(space, firstPage, count, address, null, false);
    }

    /** Queues one run of blocks, which an encoder reads from the disk. */
    public void publish(int space, long firstBlock, int count, StreamedDisk disk) {
        checkSink();
        publish(space, firstBlock, count, 0, disk, false);
    }

    private void checkSink() {
        RuntimeException failed = failure;
        if (failed != null) {
            throw failed;
        }
    }

    private long publishFlush() {
        publish(0, 0, 0, 0, null, true);
        return lastPublished;
    }

    private void publish(int space, long firstPage, int count, long address, StreamedDisk disk, boolean flush) {
        long sequence = next();
        Event event = ring.get(sequence);
        event.space = space;
        event.firstPage = firstPage;
        event.count = count;
        event.address = address;
        event.disk = disk;
        event.flush = flush;
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
                if (event.flush) {
                    sink.flush();
                } else {
                    sink.accept(event.space, event.firstPage, event.count, event.encoding, event.payload, event.crc32c);
                }
            } catch (RuntimeException e) {
                failure = e;
            }
        }
        lastSunk = sequence;
        if (event.flush) {
            LockSupport.unpark(waiter);
        }
    }

    /** Copies and encodes every {@code of}-th run; one thread each. */
    private final class Encoder implements EventHandler<Event> {
        private final int turn;
        private final int of;
        private final RunCodec codec = new RunCodec();

        Encoder(int turn, int of) {
            this.turn = turn;
            this.of = of;
        }

        @Override
        public void onEvent(Event event, long sequence, boolean endOfBatch) {
            if (sequence % of != turn || event.flush || failure != null) {
                return;
            }
            event.payload.clear();
            if (event.address == 0 && event.disk == null) {
                event.encoding = RunCodec.ZERO;
            } else {
                int lengthBytes = event.count * GuestMemory.PAGE_BYTES;
                if (event.disk == null) {
                    NativeMemory.copy(event.address, event.pagesAddress, lengthBytes);
                } else {
                    event.disk.read(event.firstPage, event.count, event.pagesAddress);
                }
                event.pages.clear().limit(lengthBytes);
                event.encoding = codec.encode(event.pages, event.payload);
            }
            event.payload.flip();
            event.crc32c = RunCodec.crc32c(event.payload);
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
