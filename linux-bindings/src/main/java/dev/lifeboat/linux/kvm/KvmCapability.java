// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

/** Numbers for KVM_CHECK_EXTENSION and KVM_ENABLE_CAP (linux/kvm.h). */
public final class KvmCapability {
    public static final int IRQCHIP = 0;
    public static final int USER_MEMORY = 3;
    public static final int SET_TSS_ADDR = 4;
    public static final int NR_VCPUS = 9;
    public static final int IRQFD = 32;
    public static final int PIT2 = 33;
    public static final int IOEVENTFD = 36;
    public static final int ADJUST_CLOCK = 39;
    public static final int VCPU_EVENTS = 41;
    public static final int XSAVE = 55;
    public static final int XCRS = 56;
    public static final int TSC_CONTROL = 60;
    public static final int TSC_DEADLINE_TIMER = 72;
    public static final int KVMCLOCK_CTRL = 76;
    public static final int IMMEDIATE_EXIT = 136;
    public static final int MANUAL_DIRTY_LOG_PROTECT2 = 168;
    public static final int XSAVE2 = 208;

    private KvmCapability() {}
}
