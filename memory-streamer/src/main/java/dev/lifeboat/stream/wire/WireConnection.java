// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import dev.lifeboat.stream.RunSink;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.timeout.IdleState;
import io.netty.handler.timeout.IdleStateEvent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLException;

/**
 * One connection of the migration protocol. Small messages may be sent by any thread and never block; runs and
 * Ethernet frames are sent by one thread, which waits while the connection is behind (back-pressure).
 *
 * <p>One connection carries everything today. More of them for bulk runs would each get a {@link RunSink} of this
 * kind, and ROUND_END would go out on all.
 */
public final class WireConnection implements AutoCloseable {
    /** Runs are collected up to this, so that TLS and the kernel see few large writes. */
    private static final int BATCH_BYTES = 256 << 10;

    /** A writer waits so long at most; a peer that is gone is noticed earlier, by its silence. */
    private static final long WRITABLE_LIMIT_MS = 60_000;

    private final Channel channel;
    private final WireLimits limits;
    private final AtomicLong bytesSent = new AtomicLong();
    private final Object writability = new Object();
    private volatile WireException closedBy;
    private volatile boolean aborting;

    WireConnection(Channel channel, WireLimits limits) {
        this.channel = channel;
        this.limits = limits;
    }

    /** Sends one control message at once. */
    public void send(Message message) {
        ByteBuf frame = channel.alloc().directBuffer(256);
        try {
            new FrameEncoder().message(message, frame);
        } catch (RuntimeException e) {
            frame.release();
            throw e;
        }
        write(frame);
    }

    /**
     * Says why, for the way out only; idempotent. What still arrives is thrown away, and the peer, having read why,
     * closes: a close from this side with unread bytes would reset the connection and lose the message.
     */
    public void abort(String reason) {
        if (aborting) {
            return;
        }
        aborting = true;
        ByteBuf frame = channel.alloc().directBuffer(256);
        new FrameEncoder().message(new Message.Abort(reason), frame);
        channel.writeAndFlush(frame, channel.voidPromise());
        channel.eventLoop().schedule(() -> channel.close(), limits.silenceMs(), TimeUnit.MILLISECONDS);
    }

    boolean isAborting() {
        return aborting;
    }

    private void write(ByteBuf frame) {
        bytesSent.addAndGet(frame.readableBytes());
        channel.writeAndFlush(frame, channel.voidPromise());
    }

    /** Sends one Ethernet frame, or waits until it can. */
    public void sendEthernet(ByteBuffer frame) {
        awaitWritable();
        ByteBuf into = channel.alloc().directBuffer(frame.remaining() + Wire.HEADER_BYTES);
        new FrameEncoder().ethernet(frame, into);
        write(into);
    }

    /** Where a {@code PagePipeline} sends runs to. */
    public RunSink runSink() {
        return new Runs();
    }

    private final class Runs implements RunSink {
        private final FrameEncoder encoder = new FrameEncoder();
        private ByteBuf batch;

        @Override
        public void accept(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c) {
            int frameBytes = Wire.HEADER_BYTES + Wire.RUN_HEADER_BYTES + payload.remaining();
            if (batch != null && batch.writableBytes() < frameBytes) {
                flush();
            }
            if (batch == null) {
                awaitWritable();
                batch = channel.alloc().directBuffer(BATCH_BYTES, BATCH_BYTES);
            }
            encoder.run(space, firstPage, pageCount, encoding, payload, crc32c, batch);
        }

        @Override
        public void flush() {
            if (batch != null) {
                ByteBuf full = batch;
                batch = null;
                write(full);
            }
        }
    }

    private void awaitWritable() {
        if (channel.isWritable() && closedBy == null) {
            return;
        }
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WRITABLE_LIMIT_MS);
        synchronized (writability) {
            while (closedBy == null && !channel.isWritable()) {
                long leftMs = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (leftMs <= 0) {
                    throw new WireException("the other host took no byte for " + WRITABLE_LIMIT_MS + " ms");
                }
                try {
                    writability.wait(leftMs);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new WireException("interrupted while sending", e);
                }
            }
        }
        checkOpen();
    }

    /** @throws WireException when the connection is gone */
    public void checkOpen() {
        WireException why = closedBy;
        if (why != null) {
            throw new WireException(why.getMessage(), why);
        }
    }

    /** Bytes of frames handed to this connection, before encryption. */
    public long bytesSent() {
        return bytesSent.get();
    }

    /** Whether, within the limit, everything that the event loop had begun is done. Not for the event loop itself. */
    public boolean awaitRest(long limitMs) {
        return channel.eventLoop().isTerminated()
                || channel.eventLoop().submit(() -> {}).awaitUninterruptibly(limitMs);
    }

    public String peer() {
        return String.valueOf(channel.remoteAddress());
    }

    @Override
    public void close() {
        channel.close();
    }

    /** The last handler of the channel: its end, its writability and its heartbeat. */
    final class Endpoint extends ChannelInboundHandlerAdapter {
        private final FrameReceiver receiver;
        private final FrameEncoder encoder = new FrameEncoder();
        private Throwable cause;

        Endpoint(FrameReceiver receiver) {
            this.receiver = receiver;
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext context) {
            synchronized (writability) {
                writability.notifyAll();
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
            if (!(event instanceof IdleStateEvent idle)) {
                super.userEventTriggered(context, event);
            } else if (idle.state() == IdleState.READER_IDLE) {
                fail(context, new WireException("nothing heard from the other host for " + limits.silenceMs() + " ms"));
            } else {
                ByteBuf frame = context.alloc().directBuffer(Wire.HEADER_BYTES);
                encoder.heartbeat(frame);
                context.writeAndFlush(frame, context.voidPromise());
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable raised) {
            Throwable root =
                    raised instanceof DecoderException && raised.getCause() != null ? raised.getCause() : raised;
            fail(context, root);
        }

        private void fail(ChannelHandlerContext context, Throwable why) {
            if (cause == null) {
                cause = why;
            }
            if (context.channel().isActive() && !(why instanceof IOException)) {
                abort(String.valueOf(why.getMessage()));
            } else {
                context.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            WireException why = explain(cause);
            synchronized (writability) {
                closedBy = why;
                writability.notifyAll();
            }
            receiver.onClosed(why);
        }

        private WireException explain(Throwable raised) {
            if (raised == null) {
                return new WireException("the other host closed the connection");
            }
            if (raised instanceof WireException wire) {
                return wire;
            }
            if (raised instanceof SSLException) {
                return new WireException(tlsAdvice(raised), raised);
            }
            return new WireException("the connection to the other host broke: " + raised.getMessage(), raised);
        }
    }

    static String tlsAdvice(Throwable raised) {
        Throwable root = raised;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return "the hosts do not trust each other (" + root.getMessage()
                + "): both need certificates of the same authority that carry their host names";
    }
}
