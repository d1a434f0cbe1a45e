// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

/**
 * Request numbers of linux/kvm.h for x86-64. {@code long}, because many have bit 31 set and ioctl(2) takes an unsigned
 * long. KvmHeaderTest compares each with what a C compiler makes of the header.
 */
public final class KvmRequest {
    public static final long KVM_GET_API_VERSION = 0xae00;
    public static final long KVM_CREATE_VM = 0xae01;
    public static final long KVM_CHECK_EXTENSION = 0xae03;
    public static final long KVM_GET_VCPU_MMAP_SIZE = 0xae04;
    public static final long KVM_GET_MSR_INDEX_LIST = 0xc004ae02L;
    public static final long KVM_GET_SUPPORTED_CPUID = 0xc008ae05L;

    public static final long KVM_CREATE_VCPU = 0xae41;
    public static final long KVM_GET_DIRTY_LOG = 0x4010ae42;
    public static final long KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
    public static final long KVM_SET_TSS_ADDR = 0xae47;
    public static final long KVM_CREATE_IRQCHIP = 0xae60;
    public static final long KVM_IRQ_LINE = 0x4008ae61;
    public static final long KVM_GET_IRQCHIP = 0xc208ae62L;
    public static final long KVM_SET_IRQCHIP = 0x8208ae63L;
    public static final long KVM_SET_GSI_ROUTING = 0x4008ae6a;
    public static final long KVM_IRQFD = 0x4020ae76;
    public static final long KVM_CREATE_PIT2 = 0x4040ae77;
    public static final long KVM_IOEVENTFD = 0x4040ae79;
    public static final long KVM_SET_CLOCK = 0x4030ae7b;
    public static final long KVM_GET_CLOCK = 0x8030ae7cL;
    public static final long KVM_GET_PIT2 = 0x8070ae9fL;
    public static final long KVM_SET_PIT2 = 0x4070aea0;
    public static final long KVM_ENABLE_CAP = 0x4068aea3;
    public static final long KVM_CLEAR_DIRTY_LOG = 0xc018aec0L;

    public static final long KVM_RUN = 0xae80;
    public static final long KVM_GET_REGS = 0x8090ae81L;
    public static final long KVM_SET_REGS = 0x4090ae82;
    public static final long KVM_GET_SREGS = 0x8138ae83L;
    public static final long KVM_SET_SREGS = 0x4138ae84;
    public static final long KVM_GET_MSRS = 0xc008ae88L;
    public static final long KVM_SET_MSRS = 0x4008ae89;
    public static final long KVM_GET_FPU = 0x81a0ae8cL;
    public static final long KVM_SET_FPU = 0x41a0ae8d;
    public static final long KVM_GET_LAPIC = 0x8400ae8eL;
    public static final long KVM_SET_LAPIC = 0x4400ae8f;
    public static final long KVM_SET_CPUID2 = 0x4008ae90;
    public static final long KVM_GET_CPUID2 = 0xc008ae91L;
    public static final long KVM_GET_MP_STATE = 0x8004ae98L;
    public static final long KVM_SET_MP_STATE = 0x4004ae99;
    public static final long KVM_GET_VCPU_EVENTS = 0x8040ae9fL;
    public static final long KVM_SET_VCPU_EVENTS = 0x4040aea0;
    public static final long KVM_GET_DEBUGREGS = 0x8080aea1L;
    public static final long KVM_SET_DEBUGREGS = 0x4080aea2;
    public static final long KVM_SET_TSC_KHZ = 0xaea2;
    public static final long KVM_GET_TSC_KHZ = 0xaea3;
    public static final long KVM_GET_XSAVE = 0x9000aea4L;
    public static final long KVM_SET_XSAVE = 0x5000aea5;
    public static final long KVM_GET_XCRS = 0x8188aea6L;
    public static final long KVM_SET_XCRS = 0x4188aea7;
    public static final long KVM_KVMCLOCK_CTRL = 0xaead;
    public static final long KVM_GET_XSAVE2 = 0x9000aecfL;
    public static final long KVM_SET_DEVICE_ATTR = 0x4018aee1;
    public static final long KVM_GET_DEVICE_ATTR = 0x4018aee2;
    public static final long KVM_HAS_DEVICE_ATTR = 0x4018aee3;

    private KvmRequest() {}
}
