// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

/**
 * Everything of one vCPU, as the kernel's own bytes (structs of linux/kvm.h and asm/kvm.h, see KvmStruct).
 *
 * @param tscOffset meaningful when {@code hasTscOffset}
 * @param msrs {@code struct kvm_msr_entry}, 16 bytes each, the TSC among them
 */
public record VcpuState(
        int id,
        int mpState,
        byte[] regs,
        byte[] sregs,
        byte[] xsave,
        byte[] xcrs,
        byte[] debugregs,
        byte[] lapic,
        int tscKhz,
        boolean hasTscOffset,
        long tscOffset,
        byte[] cpuid,
        byte[] msrs,
        byte[] events) {}
