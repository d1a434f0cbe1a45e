// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/**
 * A {@link VirtioBlock}; the disk's content travels by itself.
 *
 * @param flushFailed a flush that nobody has asked for yet failed; the guest's next one must
 */
public record VirtioBlockState(int version, long capacitySectors, boolean readOnly, boolean flushFailed)
        implements VirtioDeviceState {
    public static final int VERSION = 1;

    public VirtioBlockState {
        DeviceException.requireVersion("disk state", version, VERSION);
    }
}
