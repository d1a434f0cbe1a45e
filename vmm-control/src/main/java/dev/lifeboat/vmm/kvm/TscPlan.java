// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.kvm.KvmClock;
import dev.lifeboat.linux.kvm.KvmVcpu;
import dev.lifeboat.linux.kvm.KvmVm;
import dev.lifeboat.vmm.VmmException;

/**
 * How the guest's time stamp counters go on at a restore.
 *
 * <p>Where both hosts have a stable counter (KVM_GET_CLOCK tells the host's counter and kvmclock of one instant), by
 * offsets, as Documentation/virt/kvm/devices/vcpu.rst 4.1 prescribes: the guest's counter advances by as much as its
 * kvmclock did, exactly, and the counters of all vCPUs stay equal. Elsewhere (software-emulated hosts, PVM) the saved
 * value is written to each vCPU; KVM itself brings counters together that are written within a second. The guest then
 * uses kvm-clock, not the counter, as its clock.
 */
final class TscPlan {
    /** Clocks of real machines of one kind differ by less; KVM itself scales beyond this only (kvm_set_tsc_khz). */
    private static final long TOLERANCE_PER_MILLION = 250;

    private final boolean byOffset;
    private final KvmClock source;
    private final KvmClock target;

    /**
     * @param source when the state was saved
     * @param target now, after KVM_SET_CLOCK
     */
    TscPlan(KvmClock source, KvmClock target, boolean targetHasOffsets) {
        this.source = source;
        this.target = target;
        byOffset = targetHasOffsets && isExact(source) && isExact(target);
    }

    private static boolean isExact(KvmClock clock) {
        return clock.has(KvmVm.CLOCK_TSC_STABLE) && clock.has(KvmVm.CLOCK_HOST_TSC);
    }

    /** Before anything that depends on the counter. */
    void setRate(KvmVcpu vcpu, VcpuState state) {
        int saved = state.tscKhz();
        int here = vcpu.tscKhz();
        if (saved == 0 || here == 0 || Math.abs((long) saved - here) * 1_000_000 <= TOLERANCE_PER_MILLION * here) {
            return;
        }
        try {
            vcpu.setTscKhz(saved);
        } catch (LinuxException e) {
            if (usesCounterAsClock(state)) {
                throw new VmmException(
                        "the VM's time stamp counter runs at " + saved + " kHz, this host's at " + here
                                + " kHz and cannot be scaled (" + e.getMessage()
                                + "); choose a target of the same CPU model",
                        e);
            }
            // The guest was told that its counter is not to be trusted (CpuModel), so another rate is legal.
        }
    }

    private static boolean usesCounterAsClock(VcpuState state) {
        return (new CpuidTable(state.cpuid()).get(0x8000_0007, 0, CpuidTable.EDX) & 1 << 8) != 0;
    }

    /** Before the deadline MSR. */
    void setCounter(KvmVcpu vcpu, VcpuState state) {
        if (byOffset && state.hasTscOffset() && state.tscKhz() == vcpu.tscKhz()) {
            vcpu.setTscOffset(offset(state.tscOffset(), state.tscKhz()));
        } else {
            MsrBlock.write(vcpu, state.msrs(), index -> index == MsrPolicy.TSC);
        }
    }

    /** {@code ofs_dst = ofs_src - (guest_src - guest_dest) * freq + (tsc_src - tsc_dest)}, vcpu.rst 4.1. */
    long offset(long sourceOffset, int tscKhz) {
        long advanceNs = target.clockNs() - source.clockNs();
        // Whole milliseconds and the rest apart, so that years do not overflow.
        long ticks = advanceNs / 1_000_000 * tscKhz + advanceNs % 1_000_000 * tscKhz / 1_000_000;
        return sourceOffset + ticks + (source.hostTsc() - target.hostTsc());
    }
}
