// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import java.net.Inet4Address;
import java.nio.ByteBuffer;

/** The frames that say "this address is here now". */
final class AnnouncementFrames {
    private static final int ETHERTYPE_ARP = 0x0806;
    private static final int ETHERTYPE_RARP = 0x8035;
    private static final int HARDWARE_ETHERNET = 1;
    private static final int PROTOCOL_IPV4 = 0x0800;
    private static final int ARP_REQUEST = 1;
    private static final int RARP_REQUEST = 3;
    // Ethernet's shortest frame without its checksum; the ARP body is padded with zeroes.
    private static final int MIN_FRAME_BYTES = 60;
    private static final byte[] NO_ADDRESS = new byte[4];

    private AnnouncementFrames() {}

    /** A reverse ARP request (RFC 903) by {@code mac} for itself: moves switches' entries, means nothing to IP. */
    static byte[] reverseArp(MacAddress mac) {
        return frame(mac, ETHERTYPE_RARP, RARP_REQUEST, NO_ADDRESS, mac, NO_ADDRESS);
    }

    /** An ARP announcement (RFC 5227 section 3): a request with both addresses the sender's, target MAC zero. */
    static byte[] gratuitousArp(MacAddress mac, Inet4Address address) {
        return frame(mac, ETHERTYPE_ARP, ARP_REQUEST, address.getAddress(), MacAddress.ZERO, address.getAddress());
    }

    private static byte[] frame(
            MacAddress sender, int etherType, int operation, byte[] senderIp, MacAddress targetMac, byte[] targetIp) {
        return ByteBuffer.allocate(MIN_FRAME_BYTES)
                .put(MacAddress.BROADCAST.bytes())
                .put(sender.bytes())
                .putShort((short) etherType)
                .putShort((short) HARDWARE_ETHERNET)
                .putShort((short) PROTOCOL_IPV4)
                .put((byte) MacAddress.LENGTH_BYTES)
                .put((byte) senderIp.length)
                .putShort((short) operation)
                .put(sender.bytes())
                .put(senderIp)
                .put(targetMac.bytes())
                .put(targetIp)
                .array();
    }
}
