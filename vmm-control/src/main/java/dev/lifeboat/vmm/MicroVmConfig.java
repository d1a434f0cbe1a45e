// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.vmm.device.VirtioDevice;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntConsumer;

/**
 * What a {@link MicroVm} is made of besides its memory; the same at both ends of a move.
 *
 * @param vcpus 1 to 16; at a restore as many as were saved
 * @param cpuProfile what a guest that boots is shown; one that is restored keeps what it was shown
 * @param devices makers of the virtio devices, in the order of their places on the bus; each is called once, and what it
 *     made is closed with the VM
 * @param disks those of the devices that take part in epochs and moves; closed after the VM by whoever opened them
 * @param console gets each byte that the guest writes to its serial port, on a vCPU thread: must be quick
 * @param onEnd called once, on a thread of its own, when the guest has come to an end by itself; not for {@code close}
 */
public record MicroVmConfig(
        int vcpus,
        CpuProfile cpuProfile,
        List<Function<GuestMemory, VirtioDevice>> devices,
        List<StreamedDisk> disks,
        IntConsumer console,
        Consumer<VmStatus> onEnd) {
    public static final int MAX_VCPUS = 16;

    public MicroVmConfig {
        if (vcpus < 1 || vcpus > MAX_VCPUS) {
            throw new VmmException("a VM has 1 to " + MAX_VCPUS + " vCPUs, not " + vcpus);
        }
        devices = List.copyOf(devices);
        disks = List.copyOf(disks);
    }

    /** Without a writable disk, and with the host's processor. */
    public MicroVmConfig(
            int vcpus,
            List<Function<GuestMemory, VirtioDevice>> devices,
            IntConsumer console,
            Consumer<VmStatus> onEnd) {
        this(vcpus, CpuProfile.HOST, devices, List.of(), console, onEnd);
    }
}
