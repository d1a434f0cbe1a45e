// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static dev.lifeboat.vmm.kvm.CpuidTable.EAX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EBX;
import static dev.lifeboat.vmm.kvm.CpuidTable.ECX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EDX;

import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.VmmException;
import java.util.ArrayList;
import java.util.List;

/**
 * The CPUID of each {@link CpuProfile}, made of the host's by leaving out what is not of its level. Bits by the Intel SDM
 * volume 2, the AMD APM volume 3 and the x86-64 psABI section 3.1.1.
 */
final class CpuLevels {
    /** A register, by level what is needed and what may be shown besides; levels include the ones below. */
    private record Register(String name, int function, int index, int register, int[][] needed, int[][] besides) {
        int needed(int level) {
            return bits(needed, level);
        }

        int shown(int level) {
            return bits(needed, level) | bits(besides, level);
        }

        private static int bits(int[][] byLevel, int level) {
            int mask = 0;
            for (int i = 0; i < level; i++) {
                for (int bit : byLevel[i]) {
                    mask |= 1 << bit;
                }
            }
            return mask;
        }
    }

    private static final int[] NONE = {};
    private static final int EXTENDED_STATE = 0xd;

    private static final List<Register> REGISTERS = List.of(
            // SSE3, SSSE3, SSE4.1, SSE4.2, POPCNT; FMA, MOVBE, XSAVE, AVX, F16C. Besides: PCLMUL, PCID, x2APIC, TSC
            // deadline, AES, hypervisor, and CX16, which the psABI asks for and only QEMU's software processor
            // lacks; OSXSAVE, RDRAND.
            new Register(
                    "1.ecx",
                    1,
                    0,
                    ECX,
                    levels(bits(0, 9, 19, 20, 23), bits(12, 22, 26, 28, 29), NONE),
                    levels(bits(1, 13, 17, 21, 24, 25, 31), bits(27, 30), NONE)),
            // BMI1, AVX2, BMI2; AVX-512 F, DQ, CD, BW, VL. Besides: TSC_ADJUST; FSGSBASE, SMEP, ERMS, INVPCID;
            // RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB.
            new Register(
                    "7.ebx",
                    7,
                    0,
                    EBX,
                    levels(NONE, bits(3, 5, 8), bits(16, 17, 28, 30, 31)),
                    levels(bits(1), bits(0, 7, 9, 10), bits(18, 19, 20, 23, 24))),
            // Besides: PKU, OSPKE.
            new Register("7.ecx", 7, 0, ECX, levels(NONE, NONE, NONE), levels(NONE, NONE, bits(3, 4))),
            // MD_CLEAR, IBRS and IBPB, STIBP, L1D_FLUSH, ARCH_CAPABILITIES, SSBD.
            new Register(
                    "7.edx", 7, 0, EDX, levels(NONE, NONE, NONE), levels(bits(10, 26, 27, 28, 29, 31), NONE, NONE)),
            // x87, SSE, AVX; AVX-512. Besides: PKRU.
            new Register(
                    "0xd.eax",
                    EXTENDED_STATE,
                    0,
                    EAX,
                    levels(NONE, bits(0, 1, 2), bits(5, 6, 7)),
                    levels(NONE, NONE, bits(9))),
            // XSAVEOPT; XSAVEC, XGETBV with ECX=1, XSAVES.
            new Register(
                    "0xd.1.eax",
                    EXTENDED_STATE,
                    1,
                    EAX,
                    levels(NONE, NONE, NONE),
                    levels(NONE, bits(0), bits(1, 2, 3))),
            // LAHF; LZCNT. Besides: CMP_LEGACY, CR8 in 32-bit mode, SSE4A, misaligned SSE, OSVW, topology extensions;
            // PREFETCHW.
            new Register(
                    "0x80000001.ecx",
                    0x8000_0001,
                    0,
                    ECX,
                    levels(bits(0), bits(5), NONE),
                    levels(bits(1, 4, 6, 7, 9, 22), NONE, bits(8))));

    /** Newer instructions, tracing, key locker, AMX, AVX10, and AMD's memory encryption and newer features. */
    private static final int[] LEAVES_OF_OTHERS = {
        0x14, 0x19, 0x1c, 0x1d, 0x1e, 0x23, 0x24, 0x8000_001f, 0x8000_0020, 0x8000_0021
    };

    /** Subleaves of 7 beyond the first are newer than every level. */
    private static final int NEWER_SUBLEAVES = 2;

    private static final int COMPONENTS = 64;
    /** The x87 and SSE area with the header: what there is before the first component. */
    private static final int LEGACY_STATE_BYTES = 576;

    private CpuLevels() {}

    /**
     * What a guest of a profile sees.
     *
     * @param host what it sees without one; not changed
     * @throws VmmException when the host lacks what the profile promises
     */
    static CpuidTable restrict(CpuidTable host, CpuProfile profile) {
        CpuidTable cpuid = new CpuidTable(host.toBytes());
        int level = level(profile);
        if (level == 0) {
            return cpuid;
        }
        requireLevel(host, level, profile);
        for (Register register : REGISTERS) {
            cpuid.clear(register.function(), register.index(), register.register(), ~register.shown(level));
        }
        for (int subleaf = 1; subleaf <= NEWER_SUBLEAVES; subleaf++) {
            clear(cpuid, 7, subleaf);
        }
        for (int leaf : LEAVES_OF_OTHERS) {
            cpuid.remove(leaf);
        }
        if (cpuid.get(EXTENDED_STATE, 0, EAX) == 0) {
            cpuid.remove(EXTENDED_STATE);
        } else {
            restrictExtendedState(cpuid);
        }
        return cpuid;
    }

    private static int level(CpuProfile profile) {
        return switch (profile) {
            case HOST -> 0;
            case X86_64_V2 -> 1;
            case X86_64_V3 -> 2;
            case X86_64_V4 -> 3;
        };
    }

    private static void requireLevel(CpuidTable host, int level, CpuProfile profile) {
        List<String> missing = new ArrayList<>();
        for (Register register : REGISTERS) {
            int lacking =
                    register.needed(level) & ~host.get(register.function(), register.index(), register.register());
            if (lacking != 0) {
                missing.add(register.name() + " 0x" + Integer.toHexString(lacking));
            }
        }
        if (!missing.isEmpty()) {
            throw new VmmException("this host's CPU is no " + profile.word() + ": it lacks CPUID "
                    + String.join(", ", missing) + "; start the VM with a lower \"cpuProfile\", or on a newer CPU");
        }
    }

    /** The sizes must fit the components that are left, and those not left must not be described. */
    private static void restrictExtendedState(CpuidTable cpuid) {
        int components = cpuid.get(EXTENDED_STATE, 0, EAX);
        int bytes = LEGACY_STATE_BYTES;
        for (int component = 2; component < COMPONENTS; component++) {
            if (component < Integer.SIZE && (components >>> component & 1) != 0) {
                int end = cpuid.get(EXTENDED_STATE, component, EBX) + cpuid.get(EXTENDED_STATE, component, EAX);
                bytes = Math.max(bytes, end);
            } else {
                clear(cpuid, EXTENDED_STATE, component);
            }
        }
        cpuid.put(EXTENDED_STATE, 0, ECX, bytes);
        cpuid.put(EXTENDED_STATE, 0, EDX, 0);
        // No component of the supervisor.
        cpuid.put(EXTENDED_STATE, 1, ECX, 0);
        cpuid.put(EXTENDED_STATE, 1, EDX, 0);
    }

    private static void clear(CpuidTable cpuid, int function, int index) {
        for (int register : new int[] {EAX, EBX, ECX, EDX}) {
            cpuid.put(function, index, register, 0);
        }
    }

    private static int[] bits(int... bits) {
        return bits;
    }

    private static int[][] levels(int[] v2, int[] v3, int[] v4) {
        return new int[][] {v2, v3, v4};
    }
}
