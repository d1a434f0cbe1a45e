// SPDX-License-Identifier: Apache-2.0
/*
 * kvm-keep: two virtual machines that never run, held for as long as an emulated host is up.
 *
 * KVM patches its own code (static keys) when the first virtual machine appears, when the last one goes, when the last
 * local APIC leaves its reset state, and so on. Under QEMU's software CPU with one thread per processor (seen with 7.2) a
 * processor that translates such an instruction in the moment another one rewrites it can keep the break point that
 * was there in between, and the host dies with "Oops: int3" in kvm_arch_vcpu_ioctl_run, typically two seconds after
 * a guest's start. With these two machines there is always one user of each of these keys, so nothing is patched while
 * guests run:
 *   machine 1: in-kernel APIC in reset state (apic_sw_disabled), another one switched off (apic_hw_disabled)
 *   machine 2: a processor without in-kernel APIC (kvm_has_noapic_vcpu)
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int checked(int result, const char *what) {
    if (result < 0) {
        perror(what);
        _exit(1);
    }
    return result;
}

int main(void) {
    int kvm = checked(open("/dev/kvm", O_RDWR | O_CLOEXEC), "kvm-keep: open /dev/kvm");
    int with_apic = checked(ioctl(kvm, KVM_CREATE_VM, 0), "kvm-keep: KVM_CREATE_VM");
    checked(ioctl(with_apic, KVM_CREATE_IRQCHIP, 0), "kvm-keep: KVM_CREATE_IRQCHIP");
    checked(ioctl(with_apic, KVM_CREATE_VCPU, 0), "kvm-keep: KVM_CREATE_VCPU");
    int switched_off = checked(ioctl(with_apic, KVM_CREATE_VCPU, 1), "kvm-keep: KVM_CREATE_VCPU");
    struct kvm_sregs registers;
    checked(ioctl(switched_off, KVM_GET_SREGS, &registers), "kvm-keep: KVM_GET_SREGS");
    registers.apic_base &= ~(1ULL << 11);
    checked(ioctl(switched_off, KVM_SET_SREGS, &registers), "kvm-keep: KVM_SET_SREGS");
    int without_apic = checked(ioctl(kvm, KVM_CREATE_VM, 0), "kvm-keep: KVM_CREATE_VM");
    checked(ioctl(without_apic, KVM_CREATE_VCPU, 0), "kvm-keep: KVM_CREATE_VCPU");
    /* Only now may the boot go on: the parent waits for this process, the child keeps the descriptors. */
    int child = checked(fork(), "kvm-keep: fork");
    if (child > 0) return 0;
    setsid();
    for (;;) pause();
}
