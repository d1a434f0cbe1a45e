// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** A {@link VirtioBlock}; the disk's content travels by itself. */
public record VirtioBlockState(int version, long capacitySectors, boolean readOnly) implements VirtioDeviceState {
    public static final int VERSION = 2;

    public VirtioBlockState {
        DeviceException.requireVersion("disk state", version, VERSION);
    }
}
