// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One message from the kernel.
 *
 * @param type message type, for example {@link Rtnetlink#RTM_NEWLINK}
 * @param payload everything after the netlink header: the family's struct, then attributes
 */
public record NetlinkMessage(int type, byte[] payload) {
    /** The payload in the machine's byte order. */
    public ByteBuffer buffer() {
        return ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The attributes that follow a fixed struct of {@code structBytes}. */
    public NetlinkAttributes attributes(int structBytes) {
        return NetlinkAttributes.parse(payload, structBytes);
    }
}
