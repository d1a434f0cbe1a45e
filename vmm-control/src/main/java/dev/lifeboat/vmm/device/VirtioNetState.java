// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** A {@link VirtioNet}: who the guest believes to be. Frames that wait in the tap travel by themselves. */
public record VirtioNetState(int version, String mac, int mtu) implements VirtioDeviceState {
    public static final int VERSION = 1;

    public VirtioNetState {
        DeviceException.requireVersion("network card state", version, VERSION);
    }
}
