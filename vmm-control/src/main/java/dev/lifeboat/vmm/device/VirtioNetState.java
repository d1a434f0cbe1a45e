// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** What a {@link VirtioNet} keeps: who it is, and whether it still owes the network an announcement. */
public record VirtioNetState(int version, String mac, int mtu) implements VirtioDeviceState {
    public static final int VERSION = 1;

    public VirtioNetState {
        DeviceException.requireVersion("network device state", version, VERSION);
    }
}
