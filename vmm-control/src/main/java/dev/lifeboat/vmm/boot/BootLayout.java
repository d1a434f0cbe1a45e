// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

/** Guest physical addresses at boot. Everything a kernel must find before it has its own page tables is below 1 GiB. */
public final class BootLayout {
    public static final long GDT = 0x500;
    public static final long IDT = 0x530;
    public static final long ZERO_PAGE = 0x7000;
    public static final long BOOT_STACK = 0x8ff0;
    public static final long PML4 = 0x9000;
    public static final long PDPT = 0xa000;
    public static final long PAGE_DIRECTORY = 0xb000;
    public static final long COMMAND_LINE = 0x2_0000;
    /** RAM for the kernel to use ends here; from here to 1 MiB are our tables, reserved in the e820 map. */
    public static final long LOW_RAM_END = 0x9_fc00;

    public static final long RSDP = 0xe_0000;
    public static final long ACPI_TABLES = 0xe_1000;
    public static final long ACPI_TABLES_END = 0x10_0000;
    public static final long KERNEL = 0x10_0000;

    public static final long IOAPIC = 0xfec0_0000L;
    public static final long LOCAL_APIC = 0xfee0_0000L;
    /** Three pages that KVM on Intel may use; far from all else, below the BIOS area, as QEMU and others have it. */
    public static final long KVM_TSS = 0xfffb_d000L;

    /** virtio-mmio device n is at {@code MMIO_DEVICES + n * MMIO_DEVICE_BYTES}. */
    public static final long MMIO_DEVICES = 0xd000_0000L;

    public static final long MMIO_DEVICE_BYTES = 0x1000;
    public static final int MAX_MMIO_DEVICES = 17;
    /** virtio-mmio device n has interrupt line {@code FIRST_DEVICE_GSI + n}; the IOAPIC of KVM has 24 lines. */
    public static final int FIRST_DEVICE_GSI = 5;

    public static final int INTERRUPT_LINES = 24;

    public static final int COM1_PORT = 0x3f8;
    public static final int COM1_GSI = 4;

    /** ACPI sleep control, sleep status and reset, one port each, see {@link AcpiTables}. */
    public static final int SLEEP_CONTROL_PORT = 0x600;

    public static final int SLEEP_STATUS_PORT = 0x601;
    public static final int RESET_PORT = 0x602;

    private BootLayout() {}
}
