// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.FleetTls;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class PeerKeepaliveTest {
    private static final long FIRST_LIMIT_MS = 500;

    @TempDir
    Path directory;

    /** A road to a host on which each connection's first answer takes its time. */
    private static final class SlowRoad implements AutoCloseable {
        private final ServerSocket entrance = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final AtomicInteger connections = new AtomicInteger();
        private final int port;
        private final long delayMs;

        SlowRoad(int port, long delayMs) throws IOException {
            this.port = port;
            this.delayMs = delayMs;
            start(this::accept);
        }

        String url() {
            return "https://127.0.0.1:" + entrance.getLocalPort();
        }

        private void accept() {
            try {
                while (true) {
                    Socket near = entrance.accept();
                    Socket far = new Socket(InetAddress.getLoopbackAddress(), port);
                    connections.incrementAndGet();
                    start(() -> copy(near, far, 0));
                    start(() -> copy(far, near, delayMs));
                }
            } catch (IOException closed) {
                // The end of the test.
            }
        }

        private static void copy(Socket from, Socket to, long delayMs) {
            try (from;
                    to) {
                InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream();
                byte[] first = new byte[1];
                if (in.read(first) == 1) {
                    Thread.sleep(delayMs);
                    out.write(first);
                    in.transferTo(out);
                }
            } catch (IOException | InterruptedException gone) {
                // One side has had enough.
            }
        }

        private static void start(Runnable task) {
            Thread thread = new Thread(task, "slow-road");
            thread.setDaemon(true);
            thread.start();
        }

        @Override
        public void close() throws IOException {
            entrance.close();
        }
    }

    @Test
    void aHostWhoseHandshakesTakeLongerThanTheFirstLimitIsReachedAndOneThatIsDeafIsInNobodysWay() throws Exception {
        try (TestFleet fleet = new TestFleet(directory, "host-a", "host-b");
                ServerSocket deaf = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            AgentConfig config = fleet.config("host-a", Optional.empty());
            fleet.start("host-b");
            try (SlowRoad road = new SlowRoad(fleet.port("host-b"), 2 * FIRST_LIMIT_MS)) {
                Peers peers = new Peers(config);
                peers.name(List.of(
                        new AgentConfig.Peer("deaf", "https://127.0.0.1:" + deaf.getLocalPort(), Optional.empty()),
                        new AgentConfig.Peer("slow", road.url(), Optional.empty())));
                Events events = new Events();
                try (PeerKeepalive keepalive = new PeerKeepalive(
                        config,
                        peers,
                        ApiClient.patient(FleetTls.read(config.tls())),
                        List::of,
                        events,
                        FIRST_LIMIT_MS)) {
                    keepalive.start();
                    TestFleet.await(() -> keepalive.reaches("slow"), "the slow host to be reached");
                    assertThat(keepalive.reaches("deaf")).isFalse();
                }
                assertThat(events.after(0))
                        .extracting(Events.Event::kind, Events.Event::message)
                        .contains(tuple("peer-reached", "slow"));
                // The first try was in vain: its limit is shorter than any handshake on this road.
                assertThat(road.connections).hasValueGreaterThan(1);
            }
        }
    }
}
