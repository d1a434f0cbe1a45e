// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** A {@link VirtioRng} remembers nothing. */
public record VirtioRngState(int version) implements VirtioDeviceState {
    public static final int VERSION = 1;

    public VirtioRngState {
        DeviceException.requireVersion("random number device state", version, VERSION);
    }
}
