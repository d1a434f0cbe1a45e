// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.netlink.NetlinkAttributes;
import dev.lifeboat.linux.netlink.NetlinkMessage;
import dev.lifeboat.linux.netlink.NetlinkRequest;
import dev.lifeboat.linux.netlink.NetlinkSocket;
import dev.lifeboat.linux.netlink.Rtnetlink;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** Network interfaces of one network namespace, by netlink. Any thread. Throws {@link LinuxException}. */
final class Links {
    /** The alias that marks an interface as made by this program; nothing without it is ever changed or removed. */
    static final String ALIAS = "lifeboat";

    // dev_valid_name() of the kernel: up to 15 bytes, no '/', no ':', no space; we allow less.
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}");

    private final NetlinkSocket netlink;

    Links(NetlinkSocket netlink) {
        this.netlink = netlink;
    }

    static String requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "'" + name + "' is no interface name: 1 to 15 of letters, digits, '_', '.', '-'");
        }
        return name;
    }

    Optional<Link> find(String name) {
        NetlinkRequest request = new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "look up " + name)
                .linkHeader(0, 0, 0)
                .text(Rtnetlink.IFLA_IFNAME, name);
        try {
            return netlink.execute(request).stream().map(Links::parse).findFirst();
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENODEV) {
                return Optional.empty();
            }
            throw e;
        }
    }

    List<Link> all() {
        NetlinkRequest request =
                new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "list the interfaces").linkHeader(0, 0, 0);
        return netlink.dump(request).stream().map(Links::parse).toList();
    }

    private static Link parse(NetlinkMessage message) {
        NetlinkAttributes attributes = message.attributes(Rtnetlink.IFINFOMSG_BYTES);
        NetlinkAttributes info = attributes.nested(Rtnetlink.IFLA_LINKINFO);
        return new Link(
                message.buffer().getInt(4),
                attributes.text(Rtnetlink.IFLA_IFNAME).orElse(""),
                info.text(Rtnetlink.IFLA_INFO_KIND).orElse(""),
                attributes.number(Rtnetlink.IFLA_MASTER).orElse(0),
                attributes.text(Rtnetlink.IFLA_IFALIAS).orElse("").equals(ALIAS),
                attributes.number(Rtnetlink.IFLA_MTU).orElse(0),
                attributes.number(Rtnetlink.IFLA_TXQLEN).orElse(0),
                info.nested(Rtnetlink.IFLA_INFO_DATA));
    }

    /** Bridge without spanning tree (a port forwards at once) and without snooping (no state that a move could miss). */
    Link createBridge(String name, int mtuBytes) {
        return create(
                name,
                "bridge",
                mtuBytes,
                data -> data.int32(Rtnetlink.IFLA_BR_STP_STATE, 0)
                        .int32(Rtnetlink.IFLA_BR_FORWARD_DELAY, 0)
                        .int8(Rtnetlink.IFLA_BR_MCAST_SNOOPING, 0));
    }

    Link createVxlan(String name, int mtuBytes, int vni, int port, InetAddress local) {
        byte[] address = local.getAddress();
        int localAttribute = address.length == 4 ? Rtnetlink.IFLA_VXLAN_LOCAL : Rtnetlink.IFLA_VXLAN_LOCAL6;
        return create(
                name,
                "vxlan",
                mtuBytes,
                data -> data.int32(Rtnetlink.IFLA_VXLAN_ID, vni)
                        .bigEndian16(Rtnetlink.IFLA_VXLAN_PORT, port)
                        .int8(Rtnetlink.IFLA_VXLAN_LEARNING, 0)
                        .bytes(localAttribute, address));
    }

    private Link create(String name, String kind, int mtuBytes, Consumer<NetlinkRequest> data) {
        NetlinkRequest request = new NetlinkRequest(
                        Rtnetlink.RTM_NEWLINK,
                        Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_EXCL,
                        "create " + kind + " " + name)
                .linkHeader(0, 0, 0)
                .text(Rtnetlink.IFLA_IFNAME, name)
                .int32(Rtnetlink.IFLA_MTU, mtuBytes);
        int linkInfo = request.beginNested(Rtnetlink.IFLA_LINKINFO);
        request.text(Rtnetlink.IFLA_INFO_KIND, kind);
        int infoData = request.beginNested(Rtnetlink.IFLA_INFO_DATA);
        data.accept(request);
        request.end(infoData).end(linkInfo);
        netlink.execute(request);
        Link link = find(name).orElseThrow(() -> new LinuxException("RTM_GETLINK", name, Errno.ENODEV));
        mark(link);
        return link;
    }

    /** Marks an interface as ours. */
    void mark(Link link) {
        netlink.execute(change(link, "mark").text(Rtnetlink.IFLA_IFALIAS, ALIAS));
    }

    void delete(Link link) {
        try {
            netlink.execute(new NetlinkRequest(Rtnetlink.RTM_DELLINK, 0, "delete " + link.name())
                    .linkHeader(link.index(), 0, 0));
        } catch (LinuxException e) {
            if (e.errno() != Errno.ENODEV) {
                throw e;
            }
        }
    }

    void setMtu(Link link, int mtuBytes) {
        netlink.execute(change(link, "set the MTU of").int32(Rtnetlink.IFLA_MTU, mtuBytes));
    }

    void setAddress(Link link, MacAddress mac) {
        netlink.execute(change(link, "set the address of").bytes(Rtnetlink.IFLA_ADDRESS, mac.bytes()));
    }

    void setTransmitQueue(Link link, int lengthPackets) {
        netlink.execute(change(link, "set the queue length of").int32(Rtnetlink.IFLA_TXQLEN, lengthPackets));
    }

    /**
     * Keeps the host's own IPv6 off this interface, so that nothing of the host's (neighbour and router
     * solicitations) is queued for a guest. Where the kernel has no IPv6 there is nothing to keep off.
     */
    void disableOwnIpv6(Link link) {
        NetlinkRequest request = change(link, "switch IPv6 address generation off on");
        int spec = request.beginNested(Rtnetlink.IFLA_AF_SPEC);
        int inet6 = request.beginNested(Rtnetlink.AF_INET6);
        request.int8(Rtnetlink.IFLA_INET6_ADDR_GEN_MODE, Rtnetlink.IN6_ADDR_GEN_MODE_NONE);
        request.end(inet6).end(spec);
        try {
            netlink.execute(request);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EAFNOSUPPORT && e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.EINVAL) {
                throw e;
            }
        }
    }

    void setUp(Link link) {
        netlink.execute(new NetlinkRequest(Rtnetlink.RTM_NEWLINK, 0, "switch on " + link.name())
                .linkHeader(link.index(), Rtnetlink.IFF_UP, Rtnetlink.IFF_UP));
    }

    void setMaster(Link link, Link bridge) {
        netlink.execute(change(link, "attach to bridge " + bridge.name() + " the interface")
                .int32(Rtnetlink.IFLA_MASTER, bridge.index()));
    }

    /** Whether the bridge learns source addresses at this port and sends it frames without an entry of their own. */
    void setLearningAndUnknownUnicast(Link port, boolean learning, boolean unknownUnicast) {
        setPort(
                port,
                Map.of(Rtnetlink.IFLA_BRPORT_LEARNING, learning, Rtnetlink.IFLA_BRPORT_UNICAST_FLOOD, unknownUnicast));
    }

    /** Whether the bridge sends broadcasts and multicasts to this port. */
    void setFloods(Link port, boolean on) {
        setPort(port, Map.of(Rtnetlink.IFLA_BRPORT_BCAST_FLOOD, on, Rtnetlink.IFLA_BRPORT_MCAST_FLOOD, on));
    }

    private void setPort(Link port, Map<Integer, Boolean> options) {
        NetlinkRequest request = change(port, "set the bridge port options of");
        int linkInfo = request.beginNested(Rtnetlink.IFLA_LINKINFO);
        request.text(Rtnetlink.IFLA_INFO_SLAVE_KIND, "bridge");
        int data = request.beginNested(Rtnetlink.IFLA_INFO_SLAVE_DATA);
        options.forEach((option, on) -> request.int8(option, on ? 1 : 0));
        request.end(data).end(linkInfo);
        netlink.execute(request);
    }

    private static NetlinkRequest change(Link link, String purpose) {
        return new NetlinkRequest(Rtnetlink.RTM_NEWLINK, 0, purpose + " " + link.name()).linkHeader(link.index(), 0, 0);
    }

    /**
     * One interface.
     *
     * @param kind {@code bridge}, {@code vxlan}, {@code tun} (also for taps), ... or empty for hardware
     * @param masterIndex the bridge it is a port of, 0 for none
     * @param ours whether this program made it
     * @param data attributes of its kind, IFLA_INFO_DATA
     */
    record Link(
            int index,
            String name,
            String kind,
            int masterIndex,
            boolean ours,
            int mtuBytes,
            int transmitQueuePackets,
            NetlinkAttributes data) {}
}
