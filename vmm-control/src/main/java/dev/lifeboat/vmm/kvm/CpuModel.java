// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static dev.lifeboat.vmm.kvm.CpuidTable.EAX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EBX;
import static dev.lifeboat.vmm.kvm.CpuidTable.ECX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EDX;

import dev.lifeboat.linux.kvm.Kvm;
import dev.lifeboat.linux.kvm.KvmCapability;

/**
 * The processor a guest sees: the host's, as KVM offers it, less what cannot move to another host, with the topology of
 * the VM (one package, one thread per core). Bits by the Intel SDM volume 2 (CPUID), the AMD APM volume 3 appendix E,
 * and Documentation/virt/kvm/x86/cpuid.rst.
 */
final class CpuModel {
    private static final int MONITOR = 1 << 3;
    private static final int VMX = 1 << 5;
    private static final int PDCM = 1 << 15;
    private static final int TSC_DEADLINE = 1 << 24;
    private static final int HYPERVISOR = 1 << 31;
    private static final int HYPER_THREADING = 1 << 28;
    private static final int DEBUG_STORE = 1 << 21;
    private static final int SVM = 1 << 2;
    private static final int TOPOLOGY_EXTENSIONS = 1 << 22;
    private static final int INVARIANT_TSC = 1 << 8;
    /** Performance counters, core and north bridge and L3. */
    private static final int AMD_COUNTERS = 1 << 23 | 1 << 24 | 1 << 28;

    private static final int SGX = 1 << 2;
    /** KVM_FEATURE_ASYNC_PF, _ASYNC_PF_VMEXIT, _ASYNC_PF_INT. */
    private static final int ASYNC_PAGE_FAULTS = 1 << 4 | 1 << 10 | 1 << 14;

    private CpuModel() {}

    /**
     * The CPUID of every vCPU before its own number is filled in, see {@link #forVcpu}.
     *
     * @param kvm the host's
     */
    static CpuidTable host(Kvm kvm) {
        CpuidTable cpuid = new CpuidTable(kvm.supportedCpuid());
        cpuid.set(1, 0, ECX, HYPERVISOR);
        // Nested guests would need their own state to be saved; MONITOR/MWAIT makes a vCPU hold its core.
        cpuid.clear(1, 0, ECX, MONITOR | VMX | PDCM);
        cpuid.clear(0x8000_0001, 0, ECX, SVM | AMD_COUNTERS);
        cpuid.remove(0x8000_000a);
        // Performance counters and debug store are of one processor model; their MSRs do not move.
        cpuid.clear(1, 0, EDX, DEBUG_STORE);
        cpuid.remove(0xa);
        cpuid.remove(0x8000_0022);
        cpuid.clear(7, 0, EBX, SGX);
        cpuid.remove(0x12);
        // All memory is there before a guest runs, so nothing is gained, and faults in flight would have to be saved.
        cpuid.clear(0x4000_0001, 0, EAX, ASYNC_PAGE_FAULTS);
        // A guest that trusts its counter must find it ticking at the same rate wherever it goes.
        boolean invariant = (cpuid.get(0x8000_0007, 0, EDX) & INVARIANT_TSC) != 0;
        if (kvm.checkExtension(KvmCapability.TSC_CONTROL) == 0) {
            cpuid.clear(0x8000_0007, 0, EDX, INVARIANT_TSC);
        }
        // Deadlines are values of that counter; where it is not stable the count-down timer of the local APIC is
        // better.
        if (invariant && kvm.checkExtension(KvmCapability.TSC_DEADLINE_TIMER) != 0) {
            cpuid.set(1, 0, ECX, TSC_DEADLINE);
        } else {
            cpuid.clear(1, 0, ECX, TSC_DEADLINE);
        }
        return cpuid;
    }

    /** The CPUID of vCPU {@code id} of {@code vcpus}; the APIC id is the number of the vCPU. */
    static byte[] forVcpu(CpuidTable host, int id, int vcpus) {
        CpuidTable cpuid = new CpuidTable(host.toBytes());
        cpuid.replaceField(1, 0, EBX, 24, 8, id);
        cpuid.replaceField(1, 0, EBX, 16, 8, vcpus);
        if (vcpus > 1) {
            cpuid.set(1, 0, EDX, HYPER_THREADING);
        } else {
            cpuid.clear(1, 0, EDX, HYPER_THREADING);
        }
        int coreBits = coreBits(vcpus);
        cacheTopology(cpuid, 4, vcpus);
        for (int index = 0; cpuid.has(4, index) && index < 16; index++) {
            cpuid.replaceField(4, index, EAX, 26, 6, (1 << coreBits) - 1);
        }
        for (int leaf : new int[] {0xb, 0x1f}) {
            if (cpuid.has(leaf, 0)) {
                cpuid.remove(leaf);
                cpuid.add(leaf, 0, 0, 1, 1 << 8, id);
                cpuid.add(leaf, 1, coreBits, vcpus, 1 | 2 << 8, id);
                cpuid.add(leaf, 2, 0, 0, 2, id);
            }
        }
        cpuid.replaceField(0x8000_0008, 0, ECX, 0, 8, vcpus - 1);
        cpuid.replaceField(0x8000_0008, 0, ECX, 12, 4, coreBits);
        cacheTopology(cpuid, 0x8000_001d, vcpus);
        if ((cpuid.get(0x8000_0001, 0, ECX) & TOPOLOGY_EXTENSIONS) != 0) {
            cpuid.put(0x8000_001e, 0, EAX, id);
            cpuid.put(0x8000_001e, 0, EBX, id);
            cpuid.put(0x8000_001e, 0, ECX, 0);
        }
        return cpuid.toBytes();
    }

    /** How many vCPUs share each cache: levels 1 and 2 are a core's own, level 3 is the package's. */
    private static void cacheTopology(CpuidTable cpuid, int leaf, int vcpus) {
        for (int index = 0; cpuid.has(leaf, index) && index < 16; index++) {
            int level = cpuid.get(leaf, index, EAX) >> 5 & 7;
            cpuid.replaceField(leaf, index, EAX, 14, 12, level == 3 ? vcpus - 1 : 0);
        }
    }

    /** The bits of an APIC id that number the cores of a package. */
    static int coreBits(int vcpus) {
        return 32 - Integer.numberOfLeadingZeros(vcpus - 1);
    }
}
