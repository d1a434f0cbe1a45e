// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.FrameInjector;
import dev.lifeboat.stream.StreamException;
import dev.lifeboat.stream.lease.LeaseTerms;
import dev.lifeboat.stream.wire.FrameReceiver;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.stream.wire.Message;
import dev.lifeboat.stream.wire.WireConnection;
import dev.lifeboat.stream.wire.WireException;
import dev.lifeboat.stream.wire.WireSecurity;
import dev.lifeboat.stream.wire.WireTransport;
import io.netty.buffer.ByteBuf;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for one VM and takes it over (docs/protocol.md; DESIGN 7). One use: after {@link TargetState#COMPLETE} or
 * {@link TargetState#FAILED} a new VM needs a new one. Connections that do not greet as a Lifeboat source of this fleet
 * are turned away and change nothing.
 */
public final class EvacuationTarget implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EvacuationTarget.class);

    private final EvacuationConfig config;
    private final VmStore store;
    private final IncomingVm incoming;
    private final Optional<FrameInjector> injector;
    private final String hostName;
    private final Consumer<TargetState> stateListener;
    private final Optional<LeaseTerms> lease;
    private final Consumer<OwnerRecord> onLost;
    private final WireTransport transport;
    private final WireTransport.Listener listener;
    private final AtomicReference<TargetSession> session = new AtomicReference<>();
    private final CompletableFuture<Arrival> arrival = new CompletableFuture<>();
    private final CompletableFuture<Boolean> complete = new CompletableFuture<>();
    private volatile TargetState state = TargetState.EMPTY;

    /** In strict mode. */
    public EvacuationTarget(
            EvacuationConfig config,
            WireSecurity security,
            InetSocketAddress listen,
            VmStore store,
            IncomingVm incoming,
            Optional<FrameInjector> injector,
            String hostName,
            Consumer<TargetState> stateListener) {
        this(
                config,
                security,
                listen,
                store,
                incoming,
                injector,
                hostName,
                stateListener,
                Optional.empty(),
                follower -> {});
    }

    /**
     * Starts listening.
     *
     * @param listen port 0 picks a free one, see {@link #port}
     * @param store of the VM that is expected; its registry decides the ownership
     * @param injector where frames that the source held go
     * @param stateListener hears each state when it is entered, on the session's thread
     * @param lease in lease mode
     * @param onLost hears, in lease mode, who took the VM over after it had run here; the guest stands still by then
     * @throws WireException when the address cannot be listened on
     */
    public EvacuationTarget(
            EvacuationConfig config,
            WireSecurity security,
            InetSocketAddress listen,
            VmStore store,
            IncomingVm incoming,
            Optional<FrameInjector> injector,
            String hostName,
            Consumer<TargetState> stateListener,
            Optional<LeaseTerms> lease,
            Consumer<OwnerRecord> onLost) {
        this.config = config;
        this.store = store;
        this.incoming = incoming;
        this.injector = injector;
        this.hostName = hostName;
        this.stateListener = stateListener;
        this.lease = lease;
        this.onLost = onLost;
        transport = new WireTransport("target-wire", security, config.wire());
        try {
            listener = transport.listen(listen, Gate::new);
        } catch (RuntimeException e) {
            transport.close();
            throw e;
        }
    }

    public int port() {
        return listener.port();
    }

    public TargetState state() {
        return state;
    }

    /** Completes when the guest runs here; fails with the reason when it will not. */
    public CompletableFuture<Arrival> arrival() {
        return arrival;
    }

    /** Completes when the source is not needed any more, with false only when memory was compared and differed. */
    public CompletableFuture<Boolean> complete() {
        return complete;
    }

    void enter(TargetState newState) {
        state = newState;
        stateListener.accept(newState);
    }

    EvacuationConfig config() {
        return config;
    }

    VmStore store() {
        return store;
    }

    IncomingVm incoming() {
        return incoming;
    }

    Optional<LeaseTerms> lease() {
        return lease;
    }

    Consumer<OwnerRecord> onLost() {
        return onLost;
    }

    Optional<FrameInjector> injector() {
        return injector;
    }

    String hostName() {
        return hostName;
    }

    /** A connection until it has greeted; then it passes everything on to the session. Event loop. */
    private final class Gate implements FrameReceiver {
        private final WireConnection connection;
        private TargetSession mine;

        Gate(WireConnection connection) {
            this.connection = connection;
        }

        @Override
        public void onMessage(Message message) {
            if (mine != null) {
                mine.onMessage(message);
            } else if (message instanceof Message.Hello hello) {
                admit(hello.info());
            } else {
                throw new WireException("a " + message.type() + " frame before HELLO");
            }
        }

        private void admit(HelloInfo hello) {
            TargetSession candidate = new TargetSession(EvacuationTarget.this, connection, hello);
            if (!session.compareAndSet(null, candidate)) {
                connection.abort("this target already takes over a VM");
                return;
            }
            mine = candidate;
            candidate.start();
        }

        @Override
        public void onRun(int space, long firstPage, int pageCount, byte encoding, ByteBuf payload) {
            session().onRun(space, firstPage, pageCount, encoding, payload);
        }

        @Override
        public void onEthernet(ByteBuf frame) {
            session().onEthernet(frame);
        }

        private TargetSession session() {
            if (mine == null) {
                throw new WireException("data before HELLO");
            }
            return mine;
        }

        @Override
        public void onClosed(WireException why) {
            if (mine != null) {
                mine.onClosed(why);
            } else {
                LOG.warn("A connection from {} was turned away: {}", connection.peer(), why.getMessage());
            }
        }
    }

    /** Stops listening and lets go of the source. A VM that already runs here is not touched. */
    @Override
    public void close() {
        TargetSession current = session.get();
        if (current != null) {
            current.close();
        } else {
            arrival.completeExceptionally(new StreamException("the target was closed before a VM arrived"));
            complete.completeExceptionally(new StreamException("the target was closed before a VM arrived"));
        }
        listener.close();
        transport.close();
    }
}
