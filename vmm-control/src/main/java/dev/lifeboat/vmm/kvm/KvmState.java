// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import java.util.List;

/**
 * What KVM holds of a VM.
 *
 * @param cpu checked before anything else is done with the rest
 * @param irqchips {@code struct kvm_irqchip} of master PIC, slave PIC, IOAPIC
 */
public record KvmState(
        CpuCompatibility.Key cpu, ClockState clock, byte[] pit2, List<byte[]> irqchips, List<VcpuState> vcpus) {
    public KvmState {
        irqchips = List.copyOf(irqchips);
        vcpus = List.copyOf(vcpus);
    }
}
