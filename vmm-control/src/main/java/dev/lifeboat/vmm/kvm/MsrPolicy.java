// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which model-specific registers belong to a guest's state: what KVM lists, less those of features that
 * {@link CpuModel} hides, plus the memory types that KVM does not list on every kernel. Numbers from
 * arch/x86/include/asm/msr-index.h.
 */
final class MsrPolicy {
    static final int TSC = 0x10;
    static final int TSC_DEADLINE = 0x6e0;
    static final int MISC_ENABLE = 0x1a0;
    static final int MTRR_DEFAULT_TYPE = 0x2ff;

    /** Variable ranges 0 to 7, fixed ranges, PAT, default type. Banks of machine checks stay: none is ever injected. */
    private static final int[] MEMORY_TYPES = IntStream.concat(
                    IntStream.rangeClosed(0x200, 0x20f),
                    IntStream.of(
                            0x250,
                            0x258,
                            0x259,
                            0x268,
                            0x269,
                            0x26a,
                            0x26b,
                            0x26c,
                            0x26d,
                            0x26e,
                            0x26f,
                            0x277,
                            MTRR_DEFAULT_TYPE))
            .toArray();

    private MsrPolicy() {}

    /** The registers to save, from KVM's list: sorted, without doubles, the TSC deadline last. */
    static int[] saved(int[] listed) {
        int[] indices = IntStream.concat(Arrays.stream(listed), Arrays.stream(MEMORY_TYPES))
                .filter(MsrPolicy::belongsToState)
                .distinct()
                .sorted()
                .toArray();
        return deadlineLast(indices);
    }

    /**
     * The deadline is compared with the time stamp counter when it is written, so a deadline that is restored before the
     * counter fires at once or never (Firecracker issue 4099).
     */
    private static int[] deadlineLast(int[] indices) {
        return IntStream.concat(
                        Arrays.stream(indices).filter(index -> index != TSC_DEADLINE),
                        Arrays.stream(indices).filter(index -> index == TSC_DEADLINE))
                .toArray();
    }

    private static boolean belongsToState(int index) {
        return !isCounter(index) && !isNestedVirtualization(index) && !isHyperV(index) && index != 0x17b;
    }

    /** Performance counters and debug store, hidden by the CPU model. */
    private static boolean isCounter(int index) {
        return in(index, 0xc1, 0xc8)
                || in(index, 0x186, 0x18d)
                || in(index, 0x309, 0x30c)
                || index == 0x345
                || in(index, 0x38d, 0x391)
                || index == 0x3f1
                || index == 0x3f2
                || in(index, 0x4c1, 0x4c8)
                || in(index, 0xc0010000, 0xc0010007)
                || in(index, 0xc0010200, 0xc001020b)
                || in(index, 0xc0000300, 0xc0000303);
    }

    /** VMX capability registers, SVM's, and the ratio of nested counters. */
    private static boolean isNestedVirtualization(int index) {
        return in(index, 0x480, 0x493) || index == 0xc0010114 || index == 0xc0010117 || index == 0xc0000104;
    }

    private static boolean isHyperV(int index) {
        return in(index, 0x40000000, 0x400001ff);
    }

    private static boolean in(int index, int first, int last) {
        return Integer.compareUnsigned(index, first) >= 0 && Integer.compareUnsigned(index, last) <= 0;
    }
}
