// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.VmmException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The ACPI tables of a VM (ACPI 6.5): RSDP, XSDT, FADT, MADT and DSDT. "Hardware-reduced" ACPI, because it needs no
 * SCI, no power management timer and no 8259: a kernel powers off by writing the S5 type to the sleep control register
 * and resets by the reset register, both ports of ours ({@link AcpiPorts}).
 */
final class AcpiTables {
    private static final int HEADER_BYTES = 36;
    private static final int FADT_BYTES = 276;

    private static final int BOOT_NO_VGA = 1 << 2;
    private static final int BOOT_NO_CMOS_CLOCK = 1 << 5;

    private static final int FADT_WBINVD = 1;
    private static final int FADT_POWER_BUTTON_IS_DEVICE = 1 << 4;
    private static final int FADT_SLEEP_BUTTON_IS_DEVICE = 1 << 5;
    private static final int FADT_RESET_REGISTER = 1 << 10;
    private static final int FADT_HARDWARE_REDUCED = 1 << 20;

    private AcpiTables() {}

    /** Writes all tables; {@code mmioDevices} is the number of virtio-mmio devices to name. */
    static void write(GuestMemory memory, int vcpus, int mmioDevices) {
        long at = BootLayout.ACPI_TABLES;
        byte[] dsdt = dsdt(mmioDevices);
        long dsdtAddress = at;
        at = put(memory, at, dsdt);
        long fadtAddress = at;
        at = put(memory, at, fadt(dsdtAddress));
        long madtAddress = at;
        at = put(memory, at, madt(vcpus));
        long xsdtAddress = at;
        at = put(memory, at, xsdt(fadtAddress, madtAddress));
        if (at > BootLayout.ACPI_TABLES_END) {
            throw new VmmException(
                    "the ACPI tables of " + vcpus + " vCPUs and " + mmioDevices + " devices are too long");
        }
        put(memory, BootLayout.RSDP, rsdp(xsdtAddress));
    }

    private static long put(GuestMemory memory, long at, byte[] table) {
        memory.write(at, table, 0, table.length);
        return (at + table.length + 15) & ~15L;
    }

    static byte[] rsdp(long xsdt) {
        ByteBuffer table = ByteBuffer.allocate(36).order(ByteOrder.LITTLE_ENDIAN);
        table.put("RSD PTR ".getBytes(StandardCharsets.US_ASCII)).put((byte) 0);
        table.put(AcpiNames.OEM).put((byte) 2).putInt(0).putInt(36).putLong(xsdt);
        table.put(8, checksum(table.array(), 20));
        table.put(32, checksum(table.array(), 36));
        return table.array();
    }

    static byte[] xsdt(long... tables) {
        ByteBuffer table = table("XSDT", 1, HEADER_BYTES + 8 * tables.length);
        for (long address : tables) {
            table.putLong(address);
        }
        return finished(table);
    }

    static byte[] fadt(long dsdt) {
        ByteBuffer table = table("FACP", 6, FADT_BYTES);
        table.putInt(40, (int) dsdt);
        table.putShort(109, (short) (BOOT_NO_VGA | BOOT_NO_CMOS_CLOCK));
        table.putInt(
                112,
                FADT_WBINVD
                        | FADT_POWER_BUTTON_IS_DEVICE
                        | FADT_SLEEP_BUTTON_IS_DEVICE
                        | FADT_RESET_REGISTER
                        | FADT_HARDWARE_REDUCED);
        port(table, 116, BootLayout.RESET_PORT);
        table.put(128, (byte) AcpiPorts.RESET_VALUE);
        table.put(131, (byte) 5); // minor version: ACPI 6.5
        table.putLong(140, dsdt);
        port(table, 244, BootLayout.SLEEP_CONTROL_PORT);
        port(table, 256, BootLayout.SLEEP_STATUS_PORT);
        table.position(268);
        table.put("LIFEBOAT".getBytes(StandardCharsets.US_ASCII));
        return finished(table);
    }

    /** A generic address structure: one byte wide port. */
    private static void port(ByteBuffer table, int offset, int port) {
        table.put(offset, (byte) 1)
                .put(offset + 1, (byte) 8)
                .put(offset + 3, (byte) 1)
                .putLong(offset + 4, port);
    }

    static byte[] madt(int vcpus) {
        ByteBuffer table = table("APIC", 5, HEADER_BYTES + 8 + 8 * vcpus + 12 + 6);
        table.putInt((int) BootLayout.LOCAL_APIC).putInt(0);
        for (int id = 0; id < vcpus; id++) {
            table.put((byte) 0).put((byte) 8).put((byte) id).put((byte) id).putInt(1);
        }
        table.put((byte) 1).put((byte) 12).put((byte) 0).put((byte) 0);
        table.putInt((int) BootLayout.IOAPIC).putInt(0);
        // LINT1 of every processor is the NMI, as the boot code of the vCPUs sets it.
        table.put((byte) 4).put((byte) 6).put((byte) 0xff).putShort((short) 0).put((byte) 1);
        return finished(table);
    }

    static byte[] dsdt(int mmioDevices) {
        byte[][] devices = new byte[mmioDevices + 1][];
        devices[0] = AmlWriter.device(
                "COM1",
                AmlWriter.named("_HID", AmlWriter.eisaId("PNP0501")),
                AmlWriter.named("_UID", AmlWriter.integer(0)),
                AmlWriter.named(
                        "_CRS",
                        AmlWriter.resources(
                                AmlWriter.portRange(BootLayout.COM1_PORT, 8),
                                AmlWriter.edgeInterrupt(BootLayout.COM1_GSI))));
        for (int i = 0; i < mmioDevices; i++) {
            devices[i + 1] = AmlWriter.device(
                    String.format("VIO%X", i),
                    AmlWriter.named("_HID", AmlWriter.string("LNRO0005")),
                    AmlWriter.named("_UID", AmlWriter.integer(i)),
                    AmlWriter.named("_CCA", AmlWriter.integer(1)),
                    AmlWriter.named(
                            "_CRS",
                            AmlWriter.resources(
                                    AmlWriter.memory32Fixed(
                                            BootLayout.MMIO_DEVICES + i * BootLayout.MMIO_DEVICE_BYTES,
                                            BootLayout.MMIO_DEVICE_BYTES),
                                    AmlWriter.edgeInterrupt(BootLayout.FIRST_DEVICE_GSI + i))));
        }
        byte[] code = AmlWriter.concat(
                AmlWriter.named(
                        "_S5_",
                        AmlWriter.packageOf(
                                AmlWriter.integer(AcpiPorts.SLEEP_TYPE_OFF),
                                AmlWriter.integer(0),
                                AmlWriter.integer(0),
                                AmlWriter.integer(0))),
                AmlWriter.scope("_SB_", devices));
        ByteBuffer table = table("DSDT", 2, HEADER_BYTES + code.length);
        table.put(code);
        return finished(table);
    }

    private static ByteBuffer table(String signature, int revision, int lengthBytes) {
        ByteBuffer table = ByteBuffer.allocate(lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
        table.put(signature.getBytes(StandardCharsets.US_ASCII))
                .putInt(lengthBytes)
                .put((byte) revision);
        table.put((byte) 0).put(AcpiNames.OEM).put(AcpiNames.OEM_TABLE).putInt(1);
        table.put(AcpiNames.CREATOR).putInt(1);
        return table;
    }

    private static byte[] finished(ByteBuffer table) {
        table.put(9, checksum(table.array(), table.capacity()));
        return table.array();
    }

    /** The byte that makes the sum of the first {@code lengthBytes} zero; its own place still holds 0. */
    private static byte checksum(byte[] bytes, int lengthBytes) {
        int sum = 0;
        for (int i = 0; i < lengthBytes; i++) {
            sum += bytes[i];
        }
        return (byte) -sum;
    }

    /** Who made the tables; fixed widths of 6, 8 and 4. */
    private static final class AcpiNames {
        static final byte[] OEM = "LIFEBT".getBytes(StandardCharsets.US_ASCII);
        static final byte[] OEM_TABLE = "LIFEBOAT".getBytes(StandardCharsets.US_ASCII);
        static final byte[] CREATOR = "LIFE".getBytes(StandardCharsets.US_ASCII);

        private AcpiNames() {}
    }
}
