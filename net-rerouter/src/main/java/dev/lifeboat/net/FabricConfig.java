// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import java.net.InetAddress;
import java.util.List;

/**
 * What one machine's part of the fabric looks like: a bridge, a VXLAN device as its port, and where frames go that
 * have no entry of their own.
 *
 * @param bridge name of the bridge
 * @param vxlan name of the VXLAN device
 * @param vni VXLAN network number, 0 to 2^24 - 1, equal on all machines of one fabric
 * @param port UDP port, equal on all machines of one fabric
 * @param localVtep this machine's underlay address
 * @param floodVteps underlay addresses that get broadcasts and frames without an entry: on a host its gateways, on a
 *     gateway every host
 * @param bridgePorts existing interfaces that become ports of the bridge: on a gateway those towards the clients
 * @param mtuBytes MTU of bridge, VXLAN and taps; at least 50 (54 with VLAN tag, 70 for IPv6) below the underlay's
 */
public record FabricConfig(
        String bridge,
        String vxlan,
        int vni,
        int port,
        InetAddress localVtep,
        List<InetAddress> floodVteps,
        List<String> bridgePorts,
        int mtuBytes) {
    public static final String DEFAULT_BRIDGE = "lb0";
    public static final String DEFAULT_VXLAN = "lbvx0";
    /** The port that IANA gave to VXLAN. */
    public static final int DEFAULT_PORT = 4789;
    /** Fits below every cloud's smallest underlay (Google Cloud's 1460) with VXLAN's 50 bytes and room to spare. */
    public static final int DEFAULT_MTU_BYTES = 1380;

    private static final int MAX_VNI = (1 << 24) - 1;
    // IPv6 needs 1280; more than 65535 no IP packet has.
    private static final int MIN_MTU_BYTES = 1280;
    private static final int MAX_MTU_BYTES = 65_535;

    public FabricConfig {
        Links.requireName(bridge);
        Links.requireName(vxlan);
        bridgePorts.forEach(Links::requireName);
        floodVteps = List.copyOf(floodVteps);
        bridgePorts = List.copyOf(bridgePorts);
        require(vni >= 0 && vni <= MAX_VNI, "the VXLAN number is 0 to " + MAX_VNI + ", not " + vni);
        require(port > 0 && port <= 65_535, "the VXLAN port is 1 to 65535, not " + port);
        require(
                mtuBytes >= MIN_MTU_BYTES && mtuBytes <= MAX_MTU_BYTES,
                "the fabric's MTU is " + MIN_MTU_BYTES + " to " + MAX_MTU_BYTES + ", not " + mtuBytes);
        require(!localVtep.isAnyLocalAddress(), "the underlay address is one of this machine's, not a wildcard");
        for (InetAddress vtep : floodVteps) {
            require(
                    vtep.getAddress().length == localVtep.getAddress().length,
                    vtep.getHostAddress() + " and " + localVtep.getHostAddress() + " differ in address family");
            require(!vtep.equals(localVtep), "a machine does not tunnel to itself: " + vtep.getHostAddress());
        }
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }

    /** A host's fabric with the default names, port and MTU. */
    public static FabricConfig host(int vni, InetAddress localVtep, List<InetAddress> gateways) {
        return new FabricConfig(
                DEFAULT_BRIDGE, DEFAULT_VXLAN, vni, DEFAULT_PORT, localVtep, gateways, List.of(), DEFAULT_MTU_BYTES);
    }

    /** A gateway's fabric with the default names, port and MTU. */
    public static FabricConfig gateway(
            int vni, InetAddress localVtep, List<InetAddress> hosts, List<String> clientInterfaces) {
        return new FabricConfig(
                DEFAULT_BRIDGE,
                DEFAULT_VXLAN,
                vni,
                DEFAULT_PORT,
                localVtep,
                hosts,
                clientInterfaces,
                DEFAULT_MTU_BYTES);
    }
}
