// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.stream.GuestMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The registers of a processor that enters a kernel by the 64-bit protocol: long mode, flat segments, our page tables.
 * As bytes of {@code struct kvm_regs} and {@code struct kvm_sregs}, of which it knows the layout only.
 */
public final class BootRegisters {
    private static final int REGS_RSI = 32;
    private static final int REGS_RSP = 48;
    private static final int REGS_RBP = 56;
    private static final int REGS_RIP = 128;
    private static final int REGS_RFLAGS = 136;
    private static final int REGS_BYTES = 144;
    private static final long RFLAGS_ALWAYS_ONE = 2;

    private static final int SREGS_CS = 0;
    private static final int SREGS_SS = 120;
    private static final int SREGS_TR = 144;
    private static final int SREGS_GDT = 192;
    private static final int SREGS_IDT = 208;
    private static final int SREGS_CR0 = 224;
    private static final int SREGS_CR3 = 240;
    private static final int SREGS_CR4 = 248;
    private static final int SREGS_EFER = 264;
    private static final int SEGMENT_BYTES = 24;

    private static final long CR0_PROTECTION_AND_PAGING = 1L | 1L << 31;
    /** Extension type and numeric error: what a processor after INIT has. */
    private static final long CR0_FLOATING_POINT = 1L << 4 | 1L << 5;

    private static final long CR4_PHYSICAL_ADDRESS_EXTENSION = 1L << 5;
    private static final long EFER_LONG_MODE = 1L << 8 | 1L << 10;

    /** __BOOT_CS and __BOOT_DS of the protocol are selectors 0x10 and 0x18. */
    private static final long[] GDT = {0, 0, 0x00af9b000000ffffL, 0x00cf93000000ffffL, 0x008f8b000000ffffL};

    private BootRegisters() {}

    static void writeGdt(GuestMemory memory) {
        for (int i = 0; i < GDT.length; i++) {
            memory.putLong(BootLayout.GDT + 8L * i, GDT[i]);
        }
        memory.putLong(BootLayout.IDT, 0);
    }

    public static byte[] regs(LinuxBoot.Entry entry) {
        ByteBuffer regs = ByteBuffer.allocate(REGS_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        regs.putLong(REGS_RSI, entry.zeroPage());
        regs.putLong(REGS_RSP, BootLayout.BOOT_STACK);
        regs.putLong(REGS_RBP, BootLayout.BOOT_STACK);
        regs.putLong(REGS_RIP, entry.instructionPointer());
        regs.putLong(REGS_RFLAGS, RFLAGS_ALWAYS_ONE);
        return regs.array();
    }

    /** Changes the reset state {@code sregs} of a vCPU; what is not named here (APIC base) stays. */
    public static byte[] sregs(byte[] reset) {
        ByteBuffer sregs = ByteBuffer.wrap(reset.clone()).order(ByteOrder.LITTLE_ENDIAN);
        segment(sregs, SREGS_CS, 2);
        for (int data = SREGS_CS + SEGMENT_BYTES; data <= SREGS_SS; data += SEGMENT_BYTES) {
            segment(sregs, data, 3);
        }
        segment(sregs, SREGS_TR, 4);
        sregs.putLong(SREGS_GDT, BootLayout.GDT).putShort(SREGS_GDT + 8, (short) (8 * GDT.length - 1));
        sregs.putLong(SREGS_IDT, BootLayout.IDT).putShort(SREGS_IDT + 8, (short) 7);
        sregs.putLong(SREGS_CR0, CR0_PROTECTION_AND_PAGING | CR0_FLOATING_POINT);
        sregs.putLong(SREGS_CR3, BootLayout.PML4);
        sregs.putLong(SREGS_CR4, CR4_PHYSICAL_ADDRESS_EXTENSION);
        sregs.putLong(SREGS_EFER, EFER_LONG_MODE);
        return sregs.array();
    }

    /** Fills a {@code struct kvm_segment} from the descriptor, as loading the selector would. */
    private static void segment(ByteBuffer sregs, int offset, int index) {
        long descriptor = GDT[index];
        int flags = (int) (descriptor >>> 40) & 0xffff;
        long limit = descriptor & 0xffff | descriptor >>> 32 & 0xf0000;
        boolean pages = (flags >> 15 & 1) != 0;
        sregs.putLong(offset, 0);
        sregs.putInt(offset + 8, (int) (pages ? limit << 12 | 0xfff : limit));
        sregs.putShort(offset + 12, (short) (8 * index));
        sregs.put(offset + 14, (byte) (flags & 0xf));
        sregs.put(offset + 15, (byte) (flags >> 7 & 1));
        sregs.put(offset + 16, (byte) (flags >> 5 & 3));
        sregs.put(offset + 17, (byte) (flags >> 14 & 1));
        sregs.put(offset + 18, (byte) (flags >> 4 & 1));
        sregs.put(offset + 19, (byte) (flags >> 13 & 1));
        sregs.put(offset + 20, (byte) (flags >> 15 & 1));
        sregs.put(offset + 21, (byte) (flags >> 12 & 1));
        sregs.put(offset + 22, (byte) 0);
    }
}
