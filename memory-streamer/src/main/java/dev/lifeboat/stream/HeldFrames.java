// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/**
 * The frames that reached the source after its guest was paused. They wait in the tap, nothing refuses them (invariant
 * I5); after the hand-over the source drains them here and sends them to the target's {@link FrameInjector}. Only for
 * a paused network device, by one thread.
 */
public interface HeldFrames {
    /**
     * Waits up to {@code timeoutMs} for a frame, then hands over those that are there, a bounded batch at a time. Only
     * unicast frames for the guest's own address are handed over: broadcasts and multicasts reach the target's tap by
     * themselves and must not arrive twice.
     *
     * @return frames handed over, 0 when none came in time, -1 once the device is closed (stop calling)
     */
    int drain(FrameConsumer consumer, int timeoutMs);
}
