// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.net.Tap;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/**
 * The checks that need a kernel with bridge, VXLAN and tap and the right to make network namespaces. A main class,
 * because {@link NetworkOnRealKernelTest} starts it in a process that has that right, root or not. Prints one line per
 * check, {@code PASS name} or {@code FAIL name} with the stack trace below; exit code 1 when one failed.
 */
public final class NetworkChecks {
    private static final int PORT = 7000;

    private NetworkChecks() {}

    /** All checks by their names, which are sentences. */
    static Map<String, Check> all() {
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("ensureFabricTwiceKeepsTapsAndFlows", NetworkChecks::ensureFabricTwiceKeepsTapsAndFlows);
        checks.put("anotherVniMakesTheVxlanAnewAndKeepsTheTap", NetworkChecks::anotherVniMakesTheVxlanAnew);
        checks.put("aForeignInterfaceOfTheSameNameIsRefusedUntouched", NetworkChecks::aForeignInterfaceIsRefused);
        checks.put("cleanUpLeavesNoInterfaceBehindAndReleasesTheClients", NetworkChecks::cleanUpLeavesNothing);
        checks.put("hostsAddedAndRemovedAreWhatTheKernelLists", NetworkChecks::hostsAreWhatTheKernelLists);
        checks.put("aFormerOwnersLateMessageCannotTakeTheFlowBack", NetworkChecks::lateTermIsRefused);
        checks.put("aPausedGuestLosesNoDatagramAndGetsThemInOrder", NetworkChecks::pausedGuestLosesNothing);
        checks.put("aTcpConnectionOutlivesTwoMovesWithoutARefusal", NetworkChecks::tcpOutlivesMoves);
        checks.put("stragglersReachTheOldHostsTapUntilTheFlowPointsAway", NetworkChecks::stragglersReachTheOldTap);
        checks.put("aFrameWithTheGuestsSourceFromTheClientSideMovesNothing", NetworkChecks::spoofedSourceMovesNothing);
        checks.put("aTapWithBroadcastsOffHoldsNoneAndStillGetsItsOwnFrames", NetworkChecks::broadcastsOff);
        checks.put("announcementsReachTheClientsAndNotTheGuestItself", NetworkChecks::announcementsReachTheClients);
        checks.put("aFlowOverAnIpv6UnderlayIsListedAsSet", NetworkChecks::ipv6Underlay);
        return checks;
    }

    public static void main(String[] arguments) {
        int failed = 0;
        for (Map.Entry<String, Check> check : all().entrySet()) {
            try {
                check.getValue().run();
                System.out.println("PASS " + check.getKey());
            } catch (Exception | AssertionError e) {
                failed++;
                System.out.println("FAIL " + check.getKey());
                e.printStackTrace(System.out);
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    private static void ensureFabricTwiceKeepsTapsAndFlows() throws Exception {
        try (TestFabric fabric = new TestFabric().ready()) {
            int vxlan = fabric.gatewaySide.links().find("lbvx0").orElseThrow().index();
            int tap = fabric.sideA.links().find(TestFabric.TAP).orElseThrow().index();

            fabric.gateway.ensureFabric(fabric.gatewayConfig);
            fabric.hostA.ensureFabric(fabric.configA);
            TestFabric.createTap(fabric.sideA, fabric.hostA);

            assertThat(fabric.gatewaySide.links().find("lbvx0").orElseThrow().index())
                    .isEqualTo(vxlan);
            assertThat(fabric.sideA.links().find(TestFabric.TAP).orElseThrow().index())
                    .isEqualTo(tap);
            assertThat(fabric.gateway.flows()).containsExactly(new Flow(TestFabric.GUEST_MAC, TestFabric.VTEP_A));
            assertThat(fabric.gateway.hosts()).containsExactlyInAnyOrder(TestFabric.VTEP_A, TestFabric.VTEP_B);
        }
    }

    private static void anotherVniMakesTheVxlanAnew() throws Exception {
        try (TestFabric fabric = new TestFabric().ready()) {
            int tap = fabric.sideA.links().find(TestFabric.TAP).orElseThrow().index();
            int before = fabric.sideA.links().find("lbvx0").orElseThrow().index();

            fabric.hostA.ensureFabric(FabricConfig.host(78, TestFabric.VTEP_A, List.of(TestFabric.VTEP_GATEWAY)));

            assertThat(fabric.sideA.links().find("lbvx0").orElseThrow().index()).isNotEqualTo(before);
            assertThat(fabric.sideA.links().find(TestFabric.TAP).orElseThrow().index())
                    .isEqualTo(tap);
        }
    }

    private static void aForeignInterfaceIsRefused() throws Exception {
        try (TestFabric fabric = new TestFabric()) {
            TestNamespace.cable(fabric.sideA, "lb0", fabric.underlay, "other");

            assertThatThrownBy(() -> fabric.hostA.ensureFabric(fabric.configA))
                    .isInstanceOf(NetworkException.class)
                    .hasMessageContaining("lb0")
                    .hasMessageContaining("was not made by Lifeboat");
            fabric.hostA.cleanUp(fabric.configA);

            assertThat(fabric.sideA.links().find("lb0").orElseThrow().kind()).isEqualTo("veth");
        }
    }

    private static void cleanUpLeavesNothing() throws Exception {
        try (TestFabric fabric = new TestFabric()) {
            Set<String> hostBefore = fabric.sideA.interfaceNames();
            Set<String> gatewayBefore = fabric.gatewaySide.interfaceNames();
            fabric.ready();
            assertThat(fabric.sideA.interfaceNames()).contains("lb0", "lbvx0", TestFabric.TAP);

            try (Tap open = TestFabric.openTap(fabric.sideA);
                    // As a restarted agent would: another object, no memory of what the first one made.
                    HostNetwork restarted = fabric.sideA.call(HostNetwork::open)) {
                assertThat(open.fd()).isNotNegative();
                restarted.cleanUp(fabric.configA);
                restarted.cleanUp(fabric.configA);
            }
            fabric.gateway.cleanUp(fabric.gatewayConfig);

            assertThat(fabric.sideA.interfaceNames()).isEqualTo(hostBefore);
            assertThat(fabric.gatewaySide.interfaceNames()).isEqualTo(gatewayBefore);
            assertThat(fabric.gatewaySide
                            .links()
                            .find(TestFabric.CLIENT_PORT)
                            .orElseThrow()
                            .masterIndex())
                    .isZero();
        }
    }

    private static void hostsAreWhatTheKernelLists() throws Exception {
        try (TestFabric fabric = new TestFabric().ready()) {
            InetAddress third = TestFabric.address("10.9.0.13");
            fabric.gateway.addHost(third);
            fabric.gateway.addHost(third);
            fabric.gateway.removeHost(TestFabric.VTEP_A);
            fabric.gateway.removeHost(TestFabric.VTEP_A);

            assertThat(fabric.gateway.hosts()).containsExactlyInAnyOrder(TestFabric.VTEP_B, third);
            assertThat(fabric.gateway.flows()).containsExactly(new Flow(TestFabric.GUEST_MAC, TestFabric.VTEP_A));
            fabric.gateway.dropFlow(TestFabric.GUEST_MAC);
            fabric.gateway.dropFlow(TestFabric.GUEST_MAC);
            assertThat(fabric.gateway.flows()).isEmpty();
        }
    }

    private static void lateTermIsRefused() throws Exception {
        try (TestFabric fabric = new TestFabric().ready()) {
            fabric.gateway.pointFlow(TestFabric.GUEST_MAC, TestFabric.VTEP_B, 2);

            assertThatThrownBy(() -> fabric.gateway.pointFlow(TestFabric.GUEST_MAC, TestFabric.VTEP_A, 1))
                    .isInstanceOf(NetworkException.class)
                    .hasMessageContaining("term 1 is over");

            assertThat(fabric.gateway.flows()).containsExactly(new Flow(TestFabric.GUEST_MAC, TestFabric.VTEP_B));
        }
    }

    /** 3,000 datagrams while nobody reads the tap: fewer than it holds, so that every one must come out, in order. */
    private static void pausedGuestLosesNothing() throws Exception {
        int datagrams = 3_000;
        try (TestFabric fabric = new TestFabric().ready();
                TestGuest guest = new TestGuest(TestFabric.GUEST_MAC, TestFabric.GUEST_ADDRESS);
                DatagramSocket receiver = guest.namespace.call(() -> new DatagramSocket(PORT));
                DatagramSocket sender = fabric.clientSide.call(() -> new DatagramSocket())) {
            receiver.setReceiveBufferSize(8 << 20);
            receiver.setSoTimeout(5_000);
            guest.attach(TestFabric.openTap(fabric.sideA));
            guest.resume();
            sendNumber(sender, -1);
            assertThat(receiveNumber(receiver)).isEqualTo(-1);

            guest.pause();
            for (int i = 0; i < datagrams; i++) {
                sendNumber(sender, i);
            }
            receiver.setSoTimeout(200);
            assertThatThrownBy(() -> receiveNumber(receiver)).isInstanceOf(SocketTimeoutException.class);
            receiver.setSoTimeout(5_000);
            CompletableFuture<Integer> received = inBackground("receiver", () -> {
                for (int i = 0; i < datagrams; i++) {
                    int number = receiveNumber(receiver);
                    if (number != i) {
                        throw new AssertionError("expected datagram " + i + ", got " + number);
                    }
                }
                return datagrams;
            });
            guest.resume();

            assertThat(received.get(20, TimeUnit.SECONDS)).isEqualTo(datagrams);
            assertThat(guest.refusals).hasValue(0);
        }
    }

    private static void tcpOutlivesMoves() throws Exception {
        try (TestFabric fabric = new TestFabric().ready();
                TestGuest guest = new TestGuest(TestFabric.GUEST_MAC, TestFabric.GUEST_ADDRESS);
                ServerSocket server = guest.namespace.call(() -> new ServerSocket(PORT))) {
            guest.attach(TestFabric.openTap(fabric.sideA));
            guest.resume();
            CompletableFuture<Long> echo = inBackground("echo", () -> echoNumbers(server));
            AtomicInteger echoed = new AtomicInteger();
            AtomicInteger goal = new AtomicInteger(Integer.MAX_VALUE);
            try (Socket client = fabric.clientSide.call(NetworkChecks::connectedClient)) {
                CompletableFuture<Integer> load = inBackground("load", () -> sendNumbers(client, echoed, goal));
                awaitTrue(() -> echoed.get() > 1_000, "the first 1,000 echoes");

                move(fabric, guest, fabric.sideB, TestFabric.VTEP_B, 2);
                int afterFirst = echoed.get();
                awaitTrue(() -> echoed.get() > afterFirst + 1_000, "1,000 echoes after the first move");
                move(fabric, guest, fabric.sideA, TestFabric.VTEP_A, 3);
                goal.set(echoed.get() + 1_000);
                load.get(20, TimeUnit.SECONDS);
            }
            echo.get(10, TimeUnit.SECONDS);
            assertThat(echoed).hasValue(goal.get());
            assertThat(guest.refusals).hasValue(0);
        }
    }

    /** The order of a real move: target's tap open, source stops reading, flow flips, old tap drained, guest goes on. */
    private static void move(TestFabric fabric, TestGuest guest, TestNamespace to, InetAddress vtep, long term)
            throws Exception {
        Tap target = TestFabric.openTap(to);
        guest.pause();
        fabric.gateway.pointFlow(TestFabric.GUEST_MAC, vtep, term);
        try (Tap source = guest.attach(target).orElseThrow()) {
            guest.drain(source, HostNetwork.TAP_QUEUE_PACKETS);
        }
        guest.resume();
    }

    private static void stragglersReachTheOldTap() throws Exception {
        try (TestFabric fabric = new TestFabric().ready();
                TestGuest guest = new TestGuest(TestFabric.GUEST_MAC, TestFabric.GUEST_ADDRESS);
                DatagramSocket receiver = guest.namespace.call(() -> new DatagramSocket(PORT));
                DatagramSocket sender = fabric.clientSide.call(() -> new DatagramSocket());
                Tap old = TestFabric.openTap(fabric.sideA)) {
            receiver.setSoTimeout(5_000);
            guest.attach(TestFabric.openTap(fabric.sideB));
            fabric.gateway.pointFlow(TestFabric.GUEST_MAC, TestFabric.VTEP_B, 2);
            guest.resume();
            sendNumber(sender, 1);
            assertThat(receiveNumber(receiver)).isEqualTo(1);

            // A gateway that has not heard of the move yet, while the guest already talks from host B.
            fabric.gateway.pointFlow(TestFabric.GUEST_MAC, TestFabric.VTEP_A, 2);
            for (int i = 2; i < 12; i++) {
                sendNumber(sender, i);
            }
            AtomicInteger drained = new AtomicInteger();
            awaitTrue(() -> drained.addAndGet(guest.drain(old, 100)) >= 10, "10 stragglers at the old tap");
            for (int i = 2; i < 12; i++) {
                assertThat(receiveNumber(receiver)).isEqualTo(i);
            }

            fabric.gateway.pointFlow(TestFabric.GUEST_MAC, TestFabric.VTEP_B, 2);
            sendNumber(sender, 12);
            assertThat(receiveNumber(receiver)).isEqualTo(12);
            assertThat(guest.drain(old, 100)).isZero();
        }
    }

    private static void spoofedSourceMovesNothing() throws Exception {
        try (TestFabric fabric = new TestFabric().ready();
                TestGuest guest = new TestGuest(TestFabric.GUEST_MAC, TestFabric.GUEST_ADDRESS);
                DatagramSocket receiver = guest.namespace.call(() -> new DatagramSocket(PORT));
                DatagramSocket sender = fabric.clientSide.call(() -> new DatagramSocket())) {
            receiver.setSoTimeout(5_000);
            guest.attach(TestFabric.openTap(fabric.sideA));
            guest.resume();
            sendNumber(sender, 1);
            assertThat(receiveNumber(receiver)).isEqualTo(1);

            int client = fabric.clientSide.links().find("eth0").orElseThrow().index();
            try (PacketSocket socket = fabric.clientSide.call(() -> PacketSocket.open(client))) {
                socket.send(AnnouncementFrames.reverseArp(TestFabric.GUEST_MAC));
            }
            awaitTrue(() -> guest.ownFramesIn.get() == 1, "the broadcast with the guest's source at the guest");

            sendNumber(sender, 2);
            assertThat(receiveNumber(receiver)).isEqualTo(2);
        }
    }

    private static void broadcastsOff() throws Exception {
        try (TestFabric fabric = new TestFabric().ready();
                TestGuest guest = new TestGuest(TestFabric.GUEST_MAC, TestFabric.GUEST_ADDRESS);
                DatagramSocket receiver = guest.namespace.call(() -> new DatagramSocket(PORT));
                DatagramSocket sender = fabric.clientSide.call(() -> new DatagramSocket());
                PacketSocket broadcaster = fabric.clientSide.call(() -> PacketSocket.open(
                        fabric.clientSide.links().find("eth0").orElseThrow().index()));
                Tap target = TestFabric.openTap(fabric.sideB)) {
            receiver.setSoTimeout(5_000);
            guest.attach(TestFabric.openTap(fabric.sideA));
            guest.resume();
            // The first datagram needs an ARP broadcast, which reaches both hosts: get it out of the way.
            sendNumber(sender, 1);
            assertThat(receiveNumber(receiver)).isEqualTo(1);
            fabric.hostB.receiveBroadcasts(TestFabric.TAP, false);
            guest.drain(target, 100);

            int before = guest.framesIn.get();
            for (int i = 0; i < 20; i++) {
                broadcaster.send(AnnouncementFrames.reverseArp(MacAddress.parse("52:54:00:00:00:99")));
            }
            awaitTrue(() -> guest.framesIn.get() >= before + 20, "20 broadcasts at the running guest");
            assertThat(guest.drain(target, 100)).isZero();

            guest.pause();
            fabric.gateway.pointFlow(TestFabric.GUEST_MAC, TestFabric.VTEP_B, 2);
            sendNumber(sender, 2);
            awaitTrue(() -> guest.drain(target, 100) == 1, "the datagram at the new host's tap");
            fabric.hostB.receiveBroadcasts(TestFabric.TAP, true);
            broadcaster.send(AnnouncementFrames.reverseArp(MacAddress.parse("52:54:00:00:00:99")));
            awaitTrue(() -> guest.drain(target, 100) == 1, "the broadcast at the new host's tap");
        }
    }

    private static void announcementsReachTheClients() throws Exception {
        try (TestFabric fabric = new TestFabric().ready();
                TestGuest guest = new TestGuest(TestFabric.GUEST_MAC, TestFabric.GUEST_ADDRESS);
                TestCapture capture = TestCapture.open(fabric.clientSide, "eth0");
                Announcer announcer = fabric.sideA.call(fabric.hostA::announcer)) {
            guest.attach(TestFabric.openTap(fabric.sideA));
            guest.resume();

            int rounds = announcer
                    .announce(TestFabric.GUEST_MAC, Optional.of((Inet4Address)
                            TestFabric.address(TestFabric.GUEST_ADDRESS)))
                    .get(10, TimeUnit.SECONDS);

            assertThat(rounds).isEqualTo(Announcer.DELAYS_MS.size());
            byte[] rarp = AnnouncementFrames.reverseArp(TestFabric.GUEST_MAC);
            byte[] garp = AnnouncementFrames.gratuitousArp(
                    TestFabric.GUEST_MAC, (Inet4Address) TestFabric.address(TestFabric.GUEST_ADDRESS));
            awaitTrue(() -> capture.count(rarp) == rounds && capture.count(garp) == rounds, "all announcements");
            assertThat(guest.ownFramesIn).hasValue(0);
        }
    }

    private static void ipv6Underlay() throws Exception {
        try (TestNamespace machine = new TestNamespace("ipv6");
                GatewayForwarding gateway = machine.call(GatewayForwarding::open)) {
            InetAddress host = TestFabric.address("fd00::12");
            gateway.ensureFabric(FabricConfig.gateway(5, TestFabric.address("::1"), List.of(host), List.of()));
            gateway.ensureFabric(FabricConfig.gateway(5, TestFabric.address("::1"), List.of(host), List.of()));
            gateway.pointFlow(TestFabric.GUEST_MAC, host, 1);

            assertThat(gateway.hosts()).containsExactly(host);
            assertThat(gateway.flows()).containsExactly(new Flow(TestFabric.GUEST_MAC, host));
        }
    }

    private static Socket connectedClient() throws Exception {
        Socket socket = new Socket();
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(10_000);
        socket.connect(new InetSocketAddress(TestFabric.GUEST_ADDRESS, PORT), 5_000);
        return socket;
    }

    private static long echoNumbers(ServerSocket server) throws IOException {
        server.setSoTimeout(10_000);
        try (Socket socket = server.accept()) {
            socket.setTcpNoDelay(true);
            return socket.getInputStream().transferTo(socket.getOutputStream());
        }
    }

    private static int sendNumbers(Socket client, AtomicInteger echoed, AtomicInteger goal) throws IOException {
        DataOutputStream out = new DataOutputStream(client.getOutputStream());
        DataInputStream in = new DataInputStream(client.getInputStream());
        while (echoed.get() < goal.get()) {
            out.writeInt(echoed.get());
            int number = in.readInt();
            if (number != echoed.get()) {
                throw new AssertionError("sent " + echoed.get() + ", got " + number);
            }
            echoed.incrementAndGet();
        }
        return echoed.get();
    }

    private static void sendNumber(DatagramSocket socket, int number) throws Exception {
        byte[] bytes = ByteBuffer.allocate(4).putInt(number).array();
        socket.send(new DatagramPacket(bytes, 4, new InetSocketAddress(TestFabric.GUEST_ADDRESS, PORT)));
    }

    private static int receiveNumber(DatagramSocket socket) throws IOException {
        DatagramPacket packet = new DatagramPacket(new byte[4], 4);
        socket.receive(packet);
        return ByteBuffer.wrap(packet.getData()).getInt();
    }

    /** On a thread of its own: since JDK 25 the common pool may have a single thread, and these tasks wait for each other. */
    private static <T> CompletableFuture<T> inBackground(String name, Callable<T> action) {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    try {
                        result.complete(action.call());
                    } catch (Exception | AssertionError e) {
                        result.completeExceptionally(e);
                    }
                },
                name);
        thread.setDaemon(true);
        thread.start();
        return result;
    }

    private static void awaitTrue(BooleanSupplier condition, String what) throws InterruptedException {
        long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadlineNs > 0) {
                throw new AssertionError("waited 10 s in vain for " + what);
            }
            Thread.sleep(5);
        }
    }

    /** One check. */
    interface Check {
        void run() throws Exception;
    }
}
