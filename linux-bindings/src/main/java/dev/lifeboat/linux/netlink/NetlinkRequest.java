// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * One netlink request under construction: header, the family's fixed struct, attributes. Used by one thread.
 * Numbers are in the machine's order (little-endian) except where the kernel header says {@code __be}. Layout:
 * netlink(7); every attribute starts at a multiple of 4.
 */
public final class NetlinkRequest {
    // The largest request here is about 200 bytes; a request that outgrows this is a mistake, not a need.
    private static final int CAPACITY_BYTES = 4096;

    private final int type;
    private final String purpose;
    private final ByteBuffer buffer = ByteBuffer.allocate(CAPACITY_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /**
     * @param type message type, for example {@link Rtnetlink#RTM_NEWLINK}
     * @param flags NLM_F_ flags besides REQUEST and ACK, which the socket adds
     * @param purpose what this does and to what, for errors: {@code "create bridge lb0"}
     */
    public NetlinkRequest(int type, int flags, String purpose) {
        this.type = type;
        this.purpose = purpose;
        buffer.putInt(0)
                .putShort((short) type)
                .putShort((short) flags)
                .putInt(0)
                .putInt(0);
    }

    /** The struct ifinfomsg of the RTM_*LINK messages; {@code index} 0 when the link is named by IFLA_IFNAME. */
    public NetlinkRequest linkHeader(int index, int flags, int changeMask) {
        buffer.put((byte) 0).put((byte) 0).putShort((short) 0);
        buffer.putInt(index).putInt(flags).putInt(changeMask);
        return this;
    }

    /** The struct ndmsg of the RTM_*NEIGH messages. */
    public NetlinkRequest neighbourHeader(int family, int index, int state, int flags) {
        buffer.put((byte) family).put((byte) 0).putShort((short) 0);
        buffer.putInt(index).putShort((short) state).put((byte) flags).put((byte) 0);
        return this;
    }

    /** The struct ifaddrmsg of the RTM_*ADDR messages. */
    public NetlinkRequest addressHeader(int family, int prefixBits, int index) {
        buffer.put((byte) family).put((byte) prefixBits).put((byte) 0).put((byte) 0);
        buffer.putInt(index);
        return this;
    }

    public NetlinkRequest bytes(int attribute, byte[] value) {
        int start = begin(attribute);
        buffer.put(value);
        return end(start);
    }

    public NetlinkRequest int8(int attribute, int value) {
        return bytes(attribute, new byte[] {(byte) value});
    }

    public NetlinkRequest int32(int attribute, int value) {
        int start = begin(attribute);
        buffer.putInt(value);
        return end(start);
    }

    /** A number in network order, as the {@code __be16} attributes want it. */
    public NetlinkRequest bigEndian16(int attribute, int value) {
        return bytes(attribute, new byte[] {(byte) (value >>> 8), (byte) value});
    }

    /** Text with its terminating zero. */
    public NetlinkRequest text(int attribute, String value) {
        int start = begin(attribute);
        buffer.put(value.getBytes(StandardCharsets.UTF_8)).put((byte) 0);
        return end(start);
    }

    /** Opens a nested attribute; close it with {@link #end} and what this returned. */
    public int beginNested(int attribute) {
        return begin(attribute | Rtnetlink.NLA_F_NESTED);
    }

    /** Opens an attribute that starts with a struct of its own, written by one of the header methods. */
    public int begin(int attribute) {
        int start = buffer.position();
        buffer.putShort((short) 0).putShort((short) attribute);
        return start;
    }

    /** Writes the length of the attribute opened at {@code start} and pads to 4 bytes. */
    public NetlinkRequest end(int start) {
        buffer.putShort(start, (short) (buffer.position() - start));
        while (buffer.position() % 4 != 0) {
            buffer.put((byte) 0);
        }
        return this;
    }

    int type() {
        return type;
    }

    String purpose() {
        return purpose;
    }

    /** The message as it goes to the kernel, with its length, sequence number and additional flags filled in. */
    byte[] encode(int additionalFlags, int sequence) {
        int lengthBytes = buffer.position();
        buffer.putInt(0, lengthBytes);
        buffer.putShort(6, (short) (buffer.getShort(6) | additionalFlags));
        buffer.putInt(8, sequence);
        byte[] message = new byte[lengthBytes];
        buffer.get(0, message);
        return message;
    }
}
