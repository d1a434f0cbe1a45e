// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A gateway's part of the fabric: clients on one side of a bridge, VXLAN to all hosts on the other, and for every
 * guest the host that runs it. See docs/network.md. Any thread; calls are serialised. Every method throws
 * {@link NetworkException}.
 */
public final class GatewayForwarding implements AutoCloseable {
    private final Fabric fabric;
    private final Map<MacAddress, Long> terms = new HashMap<>();

    private GatewayForwarding(Fabric fabric) {
        this.fabric = fabric;
    }

    public static GatewayForwarding open() {
        return new GatewayForwarding(Fabric.open());
    }

    /** Makes or mends bridge and VXLAN; flows that are there stay. The hosts become exactly the config's. */
    public void ensureFabric(FabricConfig config) {
        // A guest's address without an entry belongs to nobody yet: flooding it would ask every host in vain.
        fabric.ensure(config, false);
    }

    /** Adds a host to those that get broadcasts. */
    public void addHost(InetAddress vtep) {
        fabric.addFloodTarget(vtep);
    }

    /** Takes a host out of those that get broadcasts; flows that point to it stay until they are pointed elsewhere. */
    public void removeHost(InetAddress vtep) {
        fabric.removeFloodTarget(vtep);
    }

    public List<InetAddress> hosts() {
        return fabric.floodTargets();
    }

    /**
     * Sends a guest's frames to the host that runs it, from the next frame on.
     *
     * @param term the owner's term: a message of a former owner that comes late is refused, so that it cannot take
     *     the flow back. Terms are remembered by this process; the kernel's entries outlive it
     */
    public synchronized void pointFlow(MacAddress guestMac, InetAddress vtep, long term) {
        long known = terms.getOrDefault(guestMac, Long.MIN_VALUE);
        if (term < known) {
            throw new NetworkException("the flow of " + guestMac + " follows term " + known + "; term " + term
                    + " is over, its host " + vtep.getHostAddress() + " does not run this guest any more");
        }
        fabric.pointFlow(guestMac, vtep);
        terms.put(guestMac, term);
    }

    /** Forgets a guest that exists no more. */
    public synchronized void dropFlow(MacAddress guestMac) {
        fabric.dropFlow(guestMac);
        terms.remove(guestMac);
    }

    /** Where every guest's frames go, as the kernel has it. */
    public List<Flow> flows() {
        return fabric.flows();
    }

    /** Removes VXLAN and bridge of {@code config} and releases the client interfaces. */
    public void cleanUp(FabricConfig config) {
        fabric.cleanUp(config);
    }

    /** Closes the socket; the fabric stays and goes on forwarding. */
    @Override
    public void close() {
        fabric.close();
    }
}
