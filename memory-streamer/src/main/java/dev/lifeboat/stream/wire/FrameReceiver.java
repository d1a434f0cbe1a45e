// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import io.netty.buffer.ByteBuf;

/** Takes what arrives on one connection, on the connection's event loop, which it must not block. */
public interface FrameReceiver {
    void onMessage(Message message);

    /**
     * @param space the address space of the pages, see {@code PageRun#space}
     * @param payload valid during the call; its checksum is right
     */
    default void onRun(int space, long firstPage, int pageCount, byte encoding, ByteBuf payload) {
        throw new WireException("a RUN frame is not expected here");
    }

    /** @param frame valid during the call */
    default void onEthernet(ByteBuf frame) {
        throw new WireException("an ETHERNET frame is not expected here");
    }

    /** Once, last: the connection is gone, and why. */
    void onClosed(WireException why);
}
