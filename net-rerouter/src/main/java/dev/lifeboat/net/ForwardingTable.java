// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.netlink.NetlinkAttributes;
import dev.lifeboat.linux.netlink.NetlinkMessage;
import dev.lifeboat.linux.netlink.NetlinkRequest;
import dev.lifeboat.linux.netlink.NetlinkSocket;
import dev.lifeboat.linux.netlink.Rtnetlink;
import dev.lifeboat.net.Links.Link;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;

/**
 * Forwarding entries (bridge(8), "fdb") of one namespace, by netlink. Any thread. Throws {@link LinuxException}.
 *
 * <p>Two tables take part. The bridge's ({@code master}) says behind which port an address is; ours are static, and
 * sticky: without that the bridge moves even a static entry when a frame with that source arrives at another port
 * that learns (br_fdb_update() in net/bridge/br_fdb.c). The VXLAN device's own ({@code self}) says to which machine.
 */
final class ForwardingTable {
    private final NetlinkSocket netlink;

    ForwardingTable(NetlinkSocket netlink) {
        this.netlink = netlink;
    }

    /** Puts {@code mac} behind {@code port} of its bridge, wherever it was before. */
    void setPort(MacAddress mac, Link port) {
        netlink.execute(new NetlinkRequest(
                        Rtnetlink.RTM_NEWNEIGH,
                        Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_REPLACE,
                        "put " + mac + " behind port " + port.name())
                .neighbourHeader(
                        Rtnetlink.AF_BRIDGE,
                        port.index(),
                        Rtnetlink.NUD_NOARP,
                        Rtnetlink.NTF_MASTER | Rtnetlink.NTF_STICKY)
                .bytes(Rtnetlink.NDA_LLADDR, mac.bytes()));
    }

    void removePort(MacAddress mac, Link port) {
        removeQuietly(new NetlinkRequest(Rtnetlink.RTM_DELNEIGH, 0, "forget " + mac + " at port " + port.name())
                .neighbourHeader(Rtnetlink.AF_BRIDGE, port.index(), 0, Rtnetlink.NTF_MASTER)
                .bytes(Rtnetlink.NDA_LLADDR, mac.bytes()));
    }

    /** Sends {@code mac} to one machine; replaces the former one in a single step, so no frame finds neither. */
    void setRemote(MacAddress mac, Link vxlan, InetAddress vtep) {
        netlink.execute(remote(
                Rtnetlink.RTM_NEWNEIGH,
                Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_REPLACE,
                "send " + mac + " to",
                mac,
                vxlan,
                vtep));
    }

    void removeRemote(MacAddress mac, Link vxlan) {
        removeQuietly(new NetlinkRequest(Rtnetlink.RTM_DELNEIGH, 0, "forget where " + mac + " is at " + vxlan.name())
                .neighbourHeader(Rtnetlink.AF_BRIDGE, vxlan.index(), 0, Rtnetlink.NTF_SELF)
                .bytes(Rtnetlink.NDA_LLADDR, mac.bytes()));
    }

    /** Adds a machine to those that get broadcasts and frames without an entry. */
    void addFloodTarget(Link vxlan, InetAddress vtep) {
        netlink.execute(remote(
                Rtnetlink.RTM_NEWNEIGH,
                Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_APPEND,
                "flood to",
                MacAddress.ZERO,
                vxlan,
                vtep));
    }

    void removeFloodTarget(Link vxlan, InetAddress vtep) {
        removeQuietly(remote(Rtnetlink.RTM_DELNEIGH, 0, "stop flooding to", MacAddress.ZERO, vxlan, vtep));
    }

    private static NetlinkRequest remote(
            int type, int flags, String purpose, MacAddress mac, Link vxlan, InetAddress vtep) {
        return new NetlinkRequest(type, flags, purpose + " " + vtep.getHostAddress() + " by " + vxlan.name())
                .neighbourHeader(
                        Rtnetlink.AF_BRIDGE,
                        vxlan.index(),
                        Rtnetlink.NUD_NOARP | Rtnetlink.NUD_PERMANENT,
                        Rtnetlink.NTF_SELF)
                .bytes(Rtnetlink.NDA_LLADDR, mac.bytes())
                .bytes(Rtnetlink.NDA_DST, vtep.getAddress());
    }

    private void removeQuietly(NetlinkRequest request) {
        try {
            netlink.execute(request);
        } catch (LinuxException e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
        }
    }

    /** All entries of the VXLAN device that name a machine; the zero address stands for the flood targets. */
    List<Flow> remotes(Link vxlan) {
        NetlinkRequest request = new NetlinkRequest(Rtnetlink.RTM_GETNEIGH, 0, "list the flows of " + vxlan.name())
                .neighbourHeader(Rtnetlink.AF_BRIDGE, vxlan.index(), 0, 0);
        List<Flow> flows = new ArrayList<>();
        for (NetlinkMessage message : netlink.dump(request)) {
            // The kernel may list every device's entries whatever the request names.
            if (message.buffer().getInt(4) == vxlan.index()) {
                NetlinkAttributes attributes = message.attributes(Rtnetlink.NDMSG_BYTES);
                byte[] destination = attributes.bytes(Rtnetlink.NDA_DST).orElse(new byte[0]);
                byte[] mac = attributes.bytes(Rtnetlink.NDA_LLADDR).orElse(new byte[0]);
                if (destination.length > 0 && mac.length == MacAddress.LENGTH_BYTES) {
                    flows.add(new Flow(MacAddress.of(mac), address(destination)));
                }
            }
        }
        return flows;
    }

    private static InetAddress address(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("the kernel listed an address of " + bytes.length + " bytes", e);
        }
    }
}
