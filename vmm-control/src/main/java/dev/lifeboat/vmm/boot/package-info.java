// SPDX-License-Identifier: Apache-2.0
/**
 * Everything that is in guest memory and in the boot processor's registers when a Linux kernel starts by the 64-bit boot
 * protocol (Documentation/arch/x86/boot.rst): kernel, initrd, command line, zero page, page tables, GDT, ACPI tables.
 * Knows guest memory, not KVM, so that its tests need none.
 */
package dev.lifeboat.vmm.boot;
