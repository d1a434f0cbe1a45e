// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import java.util.List;

/**
 * A {@link VirtioMmioTransport}, its queues and its device.
 *
 * @param offeredFeatures what the device offered when the driver chose
 * @param acceptedFeatures what the driver chose; a device that offers less cannot take over
 */
public record VirtioMmioState(
        int version,
        int deviceType,
        long offeredFeatures,
        long acceptedFeatures,
        int deviceFeaturesSelect,
        int driverFeaturesSelect,
        int queueSelect,
        int status,
        int configGeneration,
        int interruptStatus,
        List<VirtQueueState> queues,
        VirtioDeviceState device) {
    public static final int VERSION = 1;

    public VirtioMmioState {
        DeviceException.requireVersion("virtio device state", version, VERSION);
        queues = List.copyOf(queues);
    }
}
