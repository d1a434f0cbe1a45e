// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.net.PersistentTap;
import dev.lifeboat.linux.netlink.NetlinkSocket;
import dev.lifeboat.linux.netlink.Rtnetlink;
import dev.lifeboat.net.Links.Link;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bridge, the VXLAN device and their ports on one machine, host or gateway: the common part of
 * {@link HostNetwork} and {@link GatewayForwarding}. Calls are serialised. The kernel holds all state, so a restarted
 * agent goes on with what it finds.
 */
final class Fabric implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Fabric.class);

    private final NetlinkSocket netlink;
    private final Links links;
    private final ForwardingTable forwarding;
    private Optional<FabricConfig> config = Optional.empty();

    private Fabric(NetlinkSocket netlink) {
        this.netlink = netlink;
        this.links = new Links(netlink);
        this.forwarding = new ForwardingTable(netlink);
    }

    static Fabric open() {
        return new Fabric(attempt("open a netlink socket", NetlinkSocket::openRoute));
    }

    /** Makes or mends everything that {@code wanted} asks for; what is right already stays untouched. */
    synchronized void ensure(FabricConfig wanted, boolean floodUnknownToVxlan) {
        attempt("set up bridge " + wanted.bridge() + " with VXLAN " + wanted.vxlan(), () -> {
            Link bridge = ensureBridge(wanted);
            Link vxlan = ensureVxlan(wanted);
            if (vxlan.masterIndex() != bridge.index()) {
                links.setMaster(vxlan, bridge);
            }
            links.setLearningAndUnknownUnicast(vxlan, false, floodUnknownToVxlan);
            ensureFloodTargets(vxlan, wanted.floodVteps());
            links.setUp(vxlan);
            for (String port : wanted.bridgePorts()) {
                ensureClientPort(port, bridge);
            }
            links.setUp(bridge);
            config = Optional.of(wanted);
            return null;
        });
    }

    private Link ensureBridge(FabricConfig wanted) {
        Optional<Link> existing = links.find(wanted.bridge());
        Link bridge = existing.isPresent()
                ? requireOurs(existing.get(), "bridge")
                : links.createBridge(wanted.bridge(), wanted.mtuBytes());
        if (bridge.mtuBytes() != wanted.mtuBytes()) {
            links.setMtu(bridge, wanted.mtuBytes());
        }
        links.disableOwnIpv6(bridge);
        return bridge;
    }

    /** A VXLAN device cannot change its number, port or address: another one takes its place when they differ. */
    private Link ensureVxlan(FabricConfig wanted) {
        Optional<Link> existing = links.find(wanted.vxlan());
        if (existing.isPresent()) {
            Link vxlan = requireOurs(existing.get(), "vxlan");
            if (matches(vxlan, wanted)) {
                return vxlan;
            }
            LOG.warn("VXLAN {} has other parameters than asked for: made anew, its flows are forgotten", vxlan.name());
            links.delete(vxlan);
        }
        Link vxlan =
                links.createVxlan(wanted.vxlan(), wanted.mtuBytes(), wanted.vni(), wanted.port(), wanted.localVtep());
        links.disableOwnIpv6(vxlan);
        return vxlan;
    }

    private static boolean matches(Link vxlan, FabricConfig wanted) {
        byte[] local = wanted.localVtep().getAddress();
        int localAttribute = local.length == 4 ? Rtnetlink.IFLA_VXLAN_LOCAL : Rtnetlink.IFLA_VXLAN_LOCAL6;
        byte[] port = {(byte) (wanted.port() >>> 8), (byte) wanted.port()};
        return vxlan.mtuBytes() == wanted.mtuBytes()
                && vxlan.data().number(Rtnetlink.IFLA_VXLAN_ID).orElse(-1) == wanted.vni()
                && Arrays.equals(vxlan.data().bytes(localAttribute).orElse(new byte[0]), local)
                && Arrays.equals(vxlan.data().bytes(Rtnetlink.IFLA_VXLAN_PORT).orElse(new byte[0]), port);
    }

    private void ensureFloodTargets(Link vxlan, List<InetAddress> wanted) {
        Set<InetAddress> superfluous = new HashSet<>(floodTargets(vxlan));
        for (InetAddress vtep : wanted) {
            if (!superfluous.remove(vtep)) {
                forwarding.addFloodTarget(vxlan, vtep);
            }
        }
        superfluous.forEach(vtep -> forwarding.removeFloodTarget(vxlan, vtep));
    }

    private List<InetAddress> floodTargets(Link vxlan) {
        return forwarding.remotes(vxlan).stream()
                .filter(flow -> flow.mac().equals(MacAddress.ZERO))
                .map(Flow::vtep)
                .toList();
    }

    private void ensureClientPort(String name, Link bridge) {
        Link port = links.find(name)
                .orElseThrow(() -> new NetworkException("there is no interface " + name + " to become a port of bridge "
                        + bridge.name() + "; ip link lists what there is"));
        if (port.masterIndex() == 0) {
            links.setMaster(port, bridge);
        } else if (port.masterIndex() != bridge.index()) {
            throw new NetworkException(
                    "interface " + name + " belongs to another bridge; ip link set " + name + " nomaster releases it");
        }
        links.setUp(port);
    }

    synchronized void createTap(String name, MacAddress mac, int queuePackets) {
        mac.requireStation();
        Links.requireName(name);
        attempt("create tap " + name, () -> {
            Link bridge = bridge();
            Optional<Link> existing = links.find(name);
            if (existing.isEmpty()) {
                PersistentTap.create(name);
                links.mark(requireLink(name));
            } else {
                requireOurs(existing.get(), "tun");
            }
            Link tap = requireLink(name);
            links.disableOwnIpv6(tap);
            // The ring that holds frames for a guest that does not read has this many slots; set before the tap is
            // up so that no frame meets a shorter one.
            links.setTransmitQueue(tap, queuePackets);
            links.setMtu(tap, bridge.mtuBytes());
            if (tap.masterIndex() != bridge.index()) {
                links.setMaster(tap, bridge);
            }
            // A guest gets what is addressed to it, and cannot claim another's address.
            links.setLearningAndUnknownUnicast(tap, false, false);
            links.setFloods(tap, true);
            forwarding.setPort(mac, tap);
            links.setUp(tap);
            return null;
        });
    }

    synchronized void setFloods(String tapName, boolean on) {
        attempt("switch broadcasts " + (on ? "on" : "off") + " for tap " + tapName, () -> {
            links.setFloods(requireOurs(requireLink(tapName), "tun"), on);
            return null;
        });
    }

    synchronized void removeTap(String name) {
        attempt("remove tap " + name, () -> {
            Optional<Link> tap = links.find(name);
            if (tap.isPresent()) {
                links.delete(requireOurs(tap.get(), "tun"));
            }
            return null;
        });
    }

    /** The remote entry goes first: the bridge never points at a VXLAN device that does not know where to send. */
    synchronized void pointFlow(MacAddress mac, InetAddress vtep) {
        mac.requireStation();
        attempt("send " + mac + " to " + vtep.getHostAddress(), () -> {
            Link vxlan = vxlan();
            forwarding.setRemote(mac, vxlan, vtep);
            forwarding.setPort(mac, vxlan);
            return null;
        });
    }

    synchronized void dropFlow(MacAddress mac) {
        attempt("forget the flow of " + mac, () -> {
            Link vxlan = vxlan();
            forwarding.removePort(mac, vxlan);
            forwarding.removeRemote(mac, vxlan);
            return null;
        });
    }

    synchronized List<Flow> flows() {
        return attempt(
                "list the flows",
                () -> forwarding.remotes(vxlan()).stream()
                        .filter(flow -> flow.mac().isStation())
                        .toList());
    }

    synchronized List<InetAddress> floodTargets() {
        return attempt("list the flood targets", () -> floodTargets(vxlan()));
    }

    synchronized void addFloodTarget(InetAddress vtep) {
        attempt("flood to " + vtep.getHostAddress(), () -> {
            Link vxlan = vxlan();
            if (!floodTargets(vxlan).contains(vtep)) {
                forwarding.addFloodTarget(vxlan, vtep);
            }
            return null;
        });
    }

    synchronized void removeFloodTarget(InetAddress vtep) {
        attempt("stop flooding to " + vtep.getHostAddress(), () -> {
            forwarding.removeFloodTarget(vxlan(), vtep);
            return null;
        });
    }

    /** Indexes of the ports that lead off this machine: everything on the bridge that is no guest's tap. */
    synchronized List<Integer> uplinkIndexes() {
        return attempt("list the ports of the bridge", () -> {
            Link bridge = bridge();
            return links.all().stream()
                    .filter(link ->
                            link.masterIndex() == bridge.index() && !link.kind().equals("tun"))
                    .map(Link::index)
                    .toList();
        });
    }

    /** Removes what carries our mark and belongs to this fabric: taps, VXLAN, bridge. Client ports are released. */
    synchronized void cleanUp(FabricConfig made) {
        attempt("remove bridge " + made.bridge() + " and its ports", () -> {
            Optional<Link> bridge = links.find(made.bridge()).filter(Link::ours);
            if (bridge.isPresent()) {
                links.all().stream()
                        .filter(link -> link.ours()
                                && link.kind().equals("tun")
                                && link.masterIndex() == bridge.get().index())
                        .forEach(links::delete);
            }
            links.find(made.vxlan()).filter(Link::ours).ifPresent(links::delete);
            bridge.ifPresent(links::delete);
            config = Optional.empty();
            return null;
        });
    }

    synchronized Optional<FabricConfig> config() {
        return config;
    }

    private Link bridge() {
        return requireOurs(requireLink(requireConfig().bridge()), "bridge");
    }

    private Link vxlan() {
        return requireOurs(requireLink(requireConfig().vxlan()), "vxlan");
    }

    private FabricConfig requireConfig() {
        return config.orElseThrow(() -> new IllegalStateException("ensureFabric comes first"));
    }

    private Link requireLink(String name) {
        return links.find(name)
                .orElseThrow(() -> new NetworkException("interface " + name + " has gone; ensureFabric makes it anew"));
    }

    private static Link requireOurs(Link link, String kind) {
        if (!link.kind().equals(kind) || !link.ours()) {
            throw new NetworkException("interface " + link.name() + " exists and was not made by Lifeboat as a " + kind
                    + "; choose another name or remove it: ip link delete " + link.name());
        }
        return link;
    }

    private static <T> T attempt(String what, Attempt<T> action) {
        try {
            return action.run();
        } catch (LinuxException e) {
            throw new NetworkException(what, e);
        }
    }

    @Override
    public void close() {
        netlink.close();
    }

    private interface Attempt<T> {
        T run();
    }
}
