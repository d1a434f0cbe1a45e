// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

/** Sizes in bytes of the structs of linux/kvm.h and asm/kvm.h (x86-64), compared with C by KvmHeaderTest. */
public final class KvmStruct {
    public static final int REGS = 144;
    public static final int SREGS = 312;
    public static final int FPU = 416;
    public static final int XSAVE = 4096;
    public static final int XCRS = 392;
    public static final int DEBUGREGS = 128;
    public static final int LAPIC = 1024;
    public static final int MP_STATE = 4;
    public static final int VCPU_EVENTS = 64;
    public static final int PIT_STATE2 = 112;
    public static final int PIT_CONFIG = 64;
    public static final int IRQCHIP = 520;
    public static final int CLOCK_DATA = 48;
    public static final int USER_MEMORY_REGION = 32;
    public static final int IRQFD = 32;
    public static final int IOEVENTFD = 64;
    public static final int DIRTY_LOG = 16;
    public static final int CLEAR_DIRTY_LOG = 24;
    public static final int ENABLE_CAP = 104;
    public static final int DEVICE_ATTR = 24;
    public static final int MSR_ENTRY = 16;
    public static final int MSRS_HEADER = 8;
    public static final int CPUID_ENTRY = 40;
    public static final int CPUID_HEADER = 8;
    public static final int IRQ_ROUTING_HEADER = 8;
    public static final int IRQ_ROUTING_ENTRY = 48;

    private KvmStruct() {}
}
