// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.nio.ByteBuffer;

/** Where frames that the source still held enter the guest on the target, ahead of those waiting in its own tap. */
public interface FrameInjector {
    /**
     * Queues one frame, headed by its 12-byte {@code virtio_net_hdr_v1}, for the guest's receive ring; it waits there
     * while the device is paused. Any thread, never blocks, copies before it returns. The buffer's position is kept.
     *
     * @param frameWithVnetHeader a direct or heap buffer; the frame is what is between position and limit
     * @return false when the queue is full: the frame was not taken, offer it again in a moment
     */
    boolean inject(ByteBuffer frameWithVnetHeader);
}
