// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import javax.net.ssl.SSLException;

/** Opens connections of the migration protocol, as client and server, on one event loop thread of its own. */
public final class WireTransport implements AutoCloseable {
    /** Between these amounts queued, a writer waits: enough for a fast link, and a bound on memory. */
    private static final WriteBufferWaterMark WATER_MARK = new WriteBufferWaterMark(1 << 20, 4 << 20);

    private static final int HEARTBEATS_PER_SILENCE = 4;

    private final EventLoopGroup loops;
    private final WireSecurity security;
    private final WireLimits limits;

    public WireTransport(String threadName, WireSecurity security, WireLimits limits) {
        this.security = security;
        this.limits = limits;
        loops = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory(threadName, true), NioIoHandler.newFactory());
    }

    /** A listening socket. */
    public final class Listener implements AutoCloseable {
        private final Channel channel;

        Listener(Channel channel) {
            this.channel = channel;
        }

        public int port() {
            return ((InetSocketAddress) channel.localAddress()).getPort();
        }

        @Override
        public void close() {
            channel.close().awaitUninterruptibly(limits.connectMs());
        }
    }

    /**
     * Connects and shakes hands.
     *
     * @param peerName the host name that the peer's certificate must carry
     * @throws WireException saying which of both failed
     */
    public WireConnection connect(
            InetSocketAddress address, String peerName, Function<WireConnection, FrameReceiver> receiver) {
        WireConnection[] connection = new WireConnection[1];
        Bootstrap bootstrap = new Bootstrap()
                .group(loops)
                .channel(NioSocketChannel.class)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, limits.connectMs())
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_KEEPALIVE, true)
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        security.client()
                                .ifPresent(tls ->
                                        addTls(channel, tls.newHandler(channel.alloc(), peerName, address.getPort())));
                        connection[0] = addProtocol(channel, receiver);
                    }
                });
        ChannelFuture connected = bootstrap.connect(address);
        if (!connected.awaitUninterruptibly(limits.connectMs() + 1_000L) || !connected.isSuccess()) {
            connected.channel().close();
            throw new WireException(
                    "cannot connect to " + address + ": "
                            + (connected.cause() == null
                                    ? "no answer"
                                    : connected.cause().getMessage())
                            + "; is the target running and the port reachable?",
                    connected.cause());
        }
        SslHandler tls = connected.channel().pipeline().get(SslHandler.class);
        if (tls != null) {
            var handshake = tls.handshakeFuture();
            if (!handshake.awaitUninterruptibly(limits.handshakeMs() + 1_000L) || !handshake.isSuccess()) {
                connected.channel().close();
                Throwable cause = handshake.cause();
                throw new WireException(
                        cause instanceof SSLException
                                ? WireConnection.tlsAdvice(cause)
                                : "no TLS handshake with " + address + ": "
                                        + (cause == null ? "no answer" : cause.getMessage()),
                        cause);
            }
        }
        return connection[0];
    }

    /**
     * Listens.
     *
     * @param address port 0 picks a free one
     * @throws WireException naming the port when it is taken
     */
    public Listener listen(InetSocketAddress address, Function<WireConnection, FrameReceiver> receiver) {
        ChannelFuture bound = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.SO_KEEPALIVE, true)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        security.server().ifPresent(tls -> addTls(channel, tls.newHandler(channel.alloc())));
                        addProtocol(channel, receiver);
                    }
                })
                .bind(address)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new WireException(
                    "cannot listen on " + address + ": "
                            + (bound.cause() instanceof BindException
                                    ? "the port is in use or the address is not of this host; choose another"
                                    : bound.cause().getMessage()),
                    bound.cause());
        }
        return new Listener(bound.channel());
    }

    private void addTls(SocketChannel channel, SslHandler handler) {
        handler.setHandshakeTimeoutMillis(limits.handshakeMs());
        channel.pipeline().addLast(handler);
    }

    private WireConnection addProtocol(SocketChannel channel, Function<WireConnection, FrameReceiver> receivers) {
        WireConnection connection = new WireConnection(channel, limits);
        FrameReceiver receiver = receivers.apply(connection);
        ChannelPipeline pipeline = channel.pipeline();
        boolean encrypted = pipeline.get(SslHandler.class) != null;
        pipeline.addLast(encrypted ? new SilenceAfterHandshake() : silence())
                .addLast(new FrameDecoder(receiver, connection::isAborting))
                .addLast(connection.new Endpoint(receiver));
        return connection;
    }

    private IdleStateHandler silence() {
        return new IdleStateHandler(
                limits.silenceMs(), limits.silenceMs() / HEARTBEATS_PER_SILENCE, 0, TimeUnit.MILLISECONDS);
    }

    /** The handshake has a limit of its own, and none of its bytes get here: it would look like silence. */
    private final class SilenceAfterHandshake extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
            if (event instanceof SslHandshakeCompletionEvent handshake && handshake.isSuccess()) {
                context.pipeline().replace(this, null, silence());
            }
            super.userEventTriggered(context, event);
        }
    }

    @Override
    public void close() {
        loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5_000);
    }
}
