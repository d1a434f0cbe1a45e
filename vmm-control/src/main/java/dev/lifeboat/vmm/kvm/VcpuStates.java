// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.kvm.KvmVcpu;
import dev.lifeboat.vmm.VmmException;

/**
 * The orders in which the state of a vCPU is read and written. Called while every vCPU of the VM is out of the guest,
 * each with its last instruction complete ({@link VcpuThread}).
 */
final class VcpuStates {
    private VcpuStates() {}

    /**
     * Reads a vCPU. The order and its reasons:
     *
     * <ol>
     *   <li>MP_STATE first: reading it makes KVM take pending INIT and SIPI events, which changes the local APIC, RIP and
     *       CS (kvm_arch_vcpu_ioctl_get_mpstate calls kvm_apic_accept_events).
     *   <li>REGS to LAPIC in any order; XSAVE holds the FPU, so KVM_GET_FPU is not needed.
     *   <li>CPUID is read back from KVM, because KVM itself changes leaves with the guest's CR4 and XCR0, and a lost CPUID
     *       turned the TSC deadline timer off on a second restore (Firecracker issue 1942).
     *   <li>MSRs after the LAPIC: the deadline MSR belongs to its timer.
     *   <li>VCPU_EVENTS last: the calls before may queue or take events (KVM api.rst; Firecracker vcpu.rs save_state).
     * </ol>
     */
    static VcpuState save(KvmVcpu vcpu, int[] msrIndices, boolean hasTscOffset) {
        int mpState = vcpu.mpState();
        byte[] regs = vcpu.regs();
        byte[] sregs = vcpu.sregs();
        byte[] xsave = vcpu.xsave();
        byte[] xcrs = vcpu.xcrs();
        byte[] debugregs = vcpu.debugregs();
        byte[] lapic = vcpu.lapic();
        int tscKhz = vcpu.tscKhz();
        long tscOffset = hasTscOffset ? vcpu.tscOffset() : 0;
        byte[] cpuid = vcpu.cpuid();
        byte[] msrs = MsrBlock.read(vcpu, msrIndices);
        byte[] events = vcpu.vcpuEvents();
        return new VcpuState(
                vcpu.id(),
                mpState,
                regs,
                sregs,
                xsave,
                xcrs,
                debugregs,
                lapic,
                tscKhz,
                hasTscOffset,
                tscOffset,
                cpuid,
                msrs,
                events);
    }

    /**
     * Writes a fresh vCPU. The memory slots, the interrupt controllers and the VM's clock are in place already: MSRs name
     * guest memory, the APIC base needs the in-kernel APIC, kvmclock is recomputed from the VM's clock. The order and its
     * reasons:
     *
     * <ol>
     *   <li>CPUID before anything else: it decides which MSRs, CR4 bits and XSAVE components are legal.
     *   <li>TSC_KHZ before the TSC, which is scaled by it.
     *   <li>MP_STATE before REGS: setting it may reset RIP (SIPI received).
     *   <li>REGS before VCPU_EVENTS: KVM_SET_REGS forgets a pending exception.
     *   <li>SREGS before LAPIC: the APIC base (and x2APIC mode) is in SREGS and decides how the LAPIC page is read.
     *   <li>XCRS after XSAVE, both after SREGS (CR4.OSXSAVE).
     *   <li>LAPIC before MSRs: the deadline MSR is refused while the timer is not in deadline mode.
     *   <li>TSC before the deadline, which is compared with it at once (Firecracker issue 4099); see {@link MsrPolicy}.
     *   <li>VCPU_EVENTS last.
     * </ol>
     */
    static void restore(KvmVcpu vcpu, VcpuState state, TscPlan tsc) {
        if (state.id() != vcpu.id()) {
            throw new VmmException("the saved state has vCPU " + state.id() + " where vCPU " + vcpu.id()
                    + " is expected;" + " it is damaged");
        }
        vcpu.setCpuid(state.cpuid());
        tsc.setRate(vcpu, state);
        vcpu.setMpState(state.mpState());
        vcpu.setRegs(state.regs());
        vcpu.setSregs(state.sregs());
        vcpu.setXsave(state.xsave());
        vcpu.setXcrs(state.xcrs());
        vcpu.setDebugregs(state.debugregs());
        vcpu.setLapic(state.lapic());
        tsc.setCounter(vcpu, state);
        MsrBlock.write(vcpu, state.msrs(), index -> index != MsrPolicy.TSC && index != MsrPolicy.TSC_DEADLINE);
        MsrBlock.write(vcpu, state.msrs(), index -> index == MsrPolicy.TSC_DEADLINE);
        vcpu.setVcpuEvents(state.events());
    }
}
