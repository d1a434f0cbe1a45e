// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.net.Tap;
import java.net.InetAddress;
import java.util.List;

/** Two hosts, a gateway and a client as namespaces, joined by an underlay switch; the program's own classes on top. */
final class TestFabric implements AutoCloseable {
    static final int VNI = 77;
    static final String TAP = "lbt1";
    static final MacAddress GUEST_MAC = MacAddress.parse("52:54:00:4c:42:01");
    static final String GUEST_ADDRESS = "10.77.0.50";
    static final String CLIENT_ADDRESS = "10.77.0.2";
    static final String CLIENT_PORT = "clients0";
    static final InetAddress VTEP_A = address("10.9.0.11");
    static final InetAddress VTEP_B = address("10.9.0.12");
    static final InetAddress VTEP_GATEWAY = address("10.9.0.1");

    final TestNamespace underlay = new TestNamespace("underlay");
    final TestNamespace clientSide = new TestNamespace("client");
    final TestNamespace gatewaySide = new TestNamespace("gateway");
    final TestNamespace sideA = new TestNamespace("host-a");
    final TestNamespace sideB = new TestNamespace("host-b");
    final GatewayForwarding gateway;
    final HostNetwork hostA;
    final HostNetwork hostB;
    final FabricConfig gatewayConfig =
            FabricConfig.gateway(VNI, VTEP_GATEWAY, List.of(VTEP_A, VTEP_B), List.of(CLIENT_PORT));
    final FabricConfig configA = FabricConfig.host(VNI, VTEP_A, List.of(VTEP_GATEWAY));
    final FabricConfig configB = FabricConfig.host(VNI, VTEP_B, List.of(VTEP_GATEWAY));

    TestFabric() throws Exception {
        underlay.links().createBridge("switch", 1500);
        underlay.links().setUp(underlay.links().find("switch").orElseThrow());
        plug(gatewaySide, "to-gw", VTEP_GATEWAY);
        plug(sideA, "to-a", VTEP_A);
        plug(sideB, "to-b", VTEP_B);
        TestNamespace.cable(clientSide, "eth0", gatewaySide, CLIENT_PORT);
        clientSide.address("eth0", CLIENT_ADDRESS, 24);
        gateway = gatewaySide.call(GatewayForwarding::open);
        hostA = sideA.call(HostNetwork::open);
        hostB = sideB.call(HostNetwork::open);
    }

    private void plug(TestNamespace machine, String switchPort, InetAddress vtep) throws Exception {
        TestNamespace.cable(machine, "under0", underlay, switchPort);
        machine.address("under0", vtep.getHostAddress(), 24);
        underlay.links()
                .setMaster(
                        underlay.links().find(switchPort).orElseThrow(),
                        underlay.links().find("switch").orElseThrow());
    }

    /** Fabric everywhere, a tap for the guest on both hosts, the flow pointing at host A. */
    TestFabric ready() throws Exception {
        gateway.ensureFabric(gatewayConfig);
        hostA.ensureFabric(configA);
        hostB.ensureFabric(configB);
        createTap(sideA, hostA);
        createTap(sideB, hostB);
        gateway.pointFlow(GUEST_MAC, VTEP_A, 1);
        return this;
    }

    static void createTap(TestNamespace side, HostNetwork host) throws Exception {
        side.call(() -> {
            host.createTap(TAP, GUEST_MAC);
            return null;
        });
    }

    static Tap openTap(TestNamespace side) throws Exception {
        return side.call(() -> new Tap(TAP));
    }

    static InetAddress address(String text) {
        try {
            return InetAddress.getByName(text);
        } catch (java.net.UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    @Override
    public void close() {
        gateway.close();
        hostA.close();
        hostB.close();
        List.of(clientSide, gatewaySide, sideA, sideB, underlay).forEach(TestNamespace::close);
    }
}
