// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.vmm.boot.BootLayout;
import dev.lifeboat.vmm.device.MmioDevice;
import java.util.List;

/** The memory-mapped devices of a VM, one page each in a row. Read by all vCPUs without a lock. */
final class MmioBus {
    private final MmioDevice[] devices;

    MmioBus(List<? extends MmioDevice> devices) {
        this.devices = devices.toArray(new MmioDevice[0]);
    }

    /** Reads where no device is give all ones, as on a real bus. */
    long read(long guestAddress, int lengthBytes) {
        MmioDevice device = at(guestAddress);
        return device == null ? -1L : device.read(guestAddress % BootLayout.MMIO_DEVICE_BYTES, lengthBytes);
    }

    void write(long guestAddress, int lengthBytes, long value) {
        MmioDevice device = at(guestAddress);
        if (device != null) {
            device.write(guestAddress % BootLayout.MMIO_DEVICE_BYTES, lengthBytes, value);
        }
    }

    private MmioDevice at(long guestAddress) {
        long index = (guestAddress - BootLayout.MMIO_DEVICES) / BootLayout.MMIO_DEVICE_BYTES;
        return guestAddress < BootLayout.MMIO_DEVICES || index >= devices.length ? null : devices[(int) index];
    }
}
