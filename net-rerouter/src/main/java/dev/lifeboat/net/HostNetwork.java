// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import java.net.InetAddress;
import java.util.List;

/**
 * A host's part of the fabric: bridge, VXLAN towards the gateways, one tap per guest. See docs/network.md. Any thread;
 * calls are serialised. Works in the network namespace of the thread that called {@link #open}, except
 * {@link #createTap}, which makes the tap in the caller's (the same one in every ordinary process). Every method
 * throws {@link NetworkException}.
 */
public final class HostNetwork implements AutoCloseable {
    /**
     * Frames a tap holds while nobody reads it. At 100,000 packets/s towards one guest that is 40 ms, several times
     * the blackout we aim for; full, the kernel drops, which TCP repairs. 4,096 pointers are 32 KiB.
     */
    public static final int TAP_QUEUE_PACKETS = 4_096;

    private final Fabric fabric;

    private HostNetwork(Fabric fabric) {
        this.fabric = fabric;
    }

    public static HostNetwork open() {
        return new HostNetwork(Fabric.open());
    }

    /** Makes or mends bridge and VXLAN; what is right already stays as it is, with its taps and flows. */
    public void ensureFabric(FabricConfig config) {
        // Unknown addresses are the clients': they go to the gateways.
        fabric.ensure(config, true);
    }

    /**
     * Makes the guest's tap: on the bridge, up, with a queue that holds frames while the guest is paused. Doing it
     * again changes nothing. Frames are held only while a process has the tap open: open it before the flow points
     * here.
     */
    public void createTap(String name, MacAddress guestMac) {
        fabric.createTap(name, guestMac, TAP_QUEUE_PACKETS);
    }

    /**
     * Whether the tap gets broadcasts and multicasts; {@link #createTap} leaves them on. The gateway sends them to
     * every host, so exactly one tap of a guest may have them on: else a target that waits long fills its queue with
     * what the guest got elsewhere, and a source that forwards stragglers delivers each broadcast twice. Off at the
     * target until the switch, off at the source from the switch on.
     */
    public void receiveBroadcasts(String tapName, boolean on) {
        fabric.setFloods(tapName, on);
    }

    /** Removes the tap, open or not; nothing happens when there is none. */
    public void removeTap(String name) {
        fabric.removeTap(name);
    }

    /**
     * Sends frames for a guest on another host straight there instead of by the gateway. Not for a guest that just
     * left this host: its entry stays at the tap, so that stragglers are read there and forwarded.
     */
    public void pointFlow(MacAddress guestMac, InetAddress vtep) {
        fabric.pointFlow(guestMac, vtep);
    }

    /** Takes {@link #pointFlow} back. */
    public void dropFlow(MacAddress guestMac) {
        fabric.dropFlow(guestMac);
    }

    /** The flows set by {@link #pointFlow}, as the kernel has them. */
    public List<Flow> flows() {
        return fabric.flows();
    }

    /** An announcer for guests of this host; close it. */
    public Announcer announcer() {
        return Announcer.open(fabric.uplinkIndexes());
    }

    /** Removes taps, VXLAN and bridge of {@code config}, also those of an earlier process. */
    public void cleanUp(FabricConfig config) {
        fabric.cleanUp(config);
    }

    /** Closes the socket; the fabric stays. */
    @Override
    public void close() {
        fabric.close();
    }
}
