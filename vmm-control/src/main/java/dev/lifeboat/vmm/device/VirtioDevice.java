// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.EventFd;
import java.util.List;

/**
 * A virtio device behind a {@link VirtioMmioTransport}; it knows neither KVM nor the bus. Life: made, activated by the
 * driver, reset and activated again any number of times, closed. Pausing is independent of that: a device that is
 * activated while paused starts to work when it is resumed. All methods but {@link #readConfig} are called under the
 * transport's lock or by the owner of the VM.
 */
public interface VirtioDevice extends AutoCloseable {
    /** Shown in logs and in the name of the device's thread, for example {@code "virtio-net-0"}. */
    String name();

    /** The device type of virtio 1.2, section 5. */
    int type();

    /** Offered feature bits; VERSION_1 is the transport's. */
    long features();

    int queueCount();

    /** The most descriptors of one queue, a power of two. */
    int queueMaxSize();

    /** One byte of the configuration space; 0 beyond its end. vCPU threads, without a lock. */
    int readConfig(int offset);

    /** The driver is ready: starts to serve the queues, or is ready to when resumed. Each queue is looked at once. */
    void activate(Activation activation);

    /**
     * The driver let go: on return no queue is touched any more.
     *
     * @throws DeviceException when I/O in flight does not end in time
     */
    void reset();

    /**
     * Finishes what is in flight; on return neither guest memory nor the outside is touched. Idempotent.
     *
     * @throws DeviceException when I/O in flight does not end in time; the device then goes on
     */
    void pause();

    /** Goes on after {@link #pause}. Idempotent. */
    void resume();

    /** Only while paused. */
    VirtioDeviceState state();

    /**
     * Takes over another device's state; before the first activation.
     *
     * @throws DeviceException when this device cannot be what the other was, for example a disk of another size
     */
    void restore(VirtioDeviceState state);

    @Override
    void close();

    /**
     * What the transport gives a device for as long as the driver is there.
     *
     * @param features those the driver accepted
     * @param notifications one per queue, signalled when the driver made something available
     */
    record Activation(long features, List<VirtQueue> queues, List<EventFd> notifications, Signals signals) {
        boolean accepted(int featureBit) {
            return (features & (1L << featureBit)) != 0;
        }
    }

    /** How a device reaches its driver; any thread. */
    interface Signals {
        /** Used buffers were published and the driver wants to know. */
        void usedBuffers();

        /** The configuration space changed. */
        void configChanged();

        /** The device stopped because the driver broke the rules; it can go on only after a reset. */
        void needsReset(String reason);
    }
}
