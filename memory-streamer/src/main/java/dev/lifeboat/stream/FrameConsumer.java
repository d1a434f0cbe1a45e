// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.nio.ByteBuffer;

/** Takes Ethernet frames one by one, on the thread that drains them. */
@FunctionalInterface
public interface FrameConsumer {
    /**
     * One frame between position and limit, headed by its 12-byte {@code virtio_net_hdr_v1} (virtio 1.2, 5.1.6). The
     * buffer is direct and reused for the next frame: copy what must outlive this call.
     */
    void accept(ByteBuffer frameWithVnetHeader);
}
