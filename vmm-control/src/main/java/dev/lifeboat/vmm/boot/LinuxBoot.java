// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.VmmException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Fills the memory of a VM so that its boot processor can enter the kernel by the 64-bit protocol. */
public final class LinuxBoot {
    private static final int LOADER_UNDEFINED = 0xff;
    private static final int ZERO_PAGE_RSDP = 0x70;
    private static final int ZERO_PAGE_E820_COUNT = 0x1e8;
    private static final int ZERO_PAGE_LOADER = 0x210;
    private static final int ZERO_PAGE_INITRD = 0x218;
    private static final int ZERO_PAGE_INITRD_BYTES = 0x21c;
    private static final int ZERO_PAGE_COMMAND_LINE = 0x228;
    private static final int ZERO_PAGE_E820 = 0x2d0;
    private static final int E820_RAM = 1;
    private static final int E820_RESERVED = 2;

    private static final long PRESENT_WRITABLE = 3;
    private static final long LARGE_PAGE = 0x80;
    private static final long LARGE_PAGE_BYTES = 2 << 20;

    /** What the boot processor's registers must hold besides what {@link BootRegisters} always sets. */
    public record Entry(long instructionPointer, long zeroPage) {}

    private LinuxBoot() {}

    /**
     * Loads everything and returns where to start.
     *
     * @param commandLine complete, see {@link CommandLine#complete}
     * @throws VmmException when a file is missing, damaged or does not fit; nothing else is affected
     */
    public static Entry load(
            GuestMemory memory, Path kernel, Optional<Path> initrd, String commandLine, int vcpus, int mmioDevices) {
        BzImage image = BzImage.open(kernel);
        long lowRamBytes = memory.regions().get(0).lengthBytes();
        if (image.memoryEnd() > lowRamBytes) {
            throw new VmmException("the kernel " + kernel + " needs " + megabytes(image.memoryEnd())
                    + " MiB to unpack itself; give the VM more memory than " + megabytes(lowRamBytes) + " MiB");
        }
        ByteBuffer zeroPage = ByteBuffer.allocate(GuestMemory.PAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        zeroPage.put(BzImage.headerOffset(), image.header());
        zeroPage.put(ZERO_PAGE_LOADER, (byte) LOADER_UNDEFINED);
        zeroPage.putLong(ZERO_PAGE_RSDP, BootLayout.RSDP);

        image.load(memory);
        if (initrd.isPresent()) {
            loadInitrd(memory, initrd.get(), image, lowRamBytes, zeroPage);
        }
        writeCommandLine(memory, commandLine, image.maxCommandLineBytes());
        zeroPage.putInt(ZERO_PAGE_COMMAND_LINE, (int) BootLayout.COMMAND_LINE);
        writeMemoryMap(memory, zeroPage);
        memory.write(BootLayout.ZERO_PAGE, zeroPage.array(), 0, zeroPage.capacity());

        writePageTables(memory);
        BootRegisters.writeGdt(memory);
        AcpiTables.write(memory, vcpus, mmioDevices);
        return new Entry(image.entry(), BootLayout.ZERO_PAGE);
    }

    private static void loadInitrd(
            GuestMemory memory, Path initrd, BzImage image, long lowRamBytes, ByteBuffer zeroPage) {
        long lengthBytes;
        try {
            lengthBytes = Files.size(initrd);
        } catch (IOException e) {
            throw new VmmException("the initrd " + initrd + " cannot be read (" + e + "); check its path", e);
        }
        long top = Math.min(lowRamBytes, image.highestInitrdAddress() + 1);
        // Page aligned, as high as possible: the kernel unpacks itself from below.
        long address = (top - lengthBytes) & -GuestMemory.PAGE_BYTES;
        if (lengthBytes > top || address < image.memoryEnd()) {
            throw new VmmException("the initrd " + initrd + " of " + megabytes(lengthBytes)
                    + " MiB does not fit beside the kernel into memory of " + megabytes(lowRamBytes)
                    + " MiB; give the VM at least " + megabytes(image.memoryEnd() + lengthBytes)
                    + " MiB, and some more to unpack it");
        }
        FileLoader.load("initrd", initrd, 0, lengthBytes, memory, address);
        zeroPage.putInt(ZERO_PAGE_INITRD, (int) address);
        zeroPage.putInt(ZERO_PAGE_INITRD_BYTES, (int) lengthBytes);
    }

    private static void writeCommandLine(GuestMemory memory, String commandLine, int maxBytes) {
        byte[] bytes = (commandLine + "\0").getBytes(StandardCharsets.UTF_8);
        if (bytes.length - 1 > maxBytes) {
            throw new VmmException(
                    "the kernel command line has " + (bytes.length - 1) + " bytes; this kernel takes " + maxBytes);
        }
        memory.write(BootLayout.COMMAND_LINE, bytes, 0, bytes.length);
    }

    private static void writeMemoryMap(GuestMemory memory, ByteBuffer zeroPage) {
        int count = 0;
        count = e820(zeroPage, count, 0, BootLayout.LOW_RAM_END, E820_RAM);
        count = e820(zeroPage, count, BootLayout.LOW_RAM_END, BootLayout.KERNEL, E820_RESERVED);
        count = e820(zeroPage, count, BootLayout.KERNEL, memory.regions().get(0).lengthBytes(), E820_RAM);
        if (memory.regions().size() > 1) {
            GuestMemory.Region high = memory.regions().get(1);
            count = e820(zeroPage, count, high.guestAddress(), high.guestAddress() + high.lengthBytes(), E820_RAM);
        }
        zeroPage.put(ZERO_PAGE_E820_COUNT, (byte) count);
    }

    private static int e820(ByteBuffer zeroPage, int index, long from, long to, int type) {
        int entry = ZERO_PAGE_E820 + 20 * index;
        zeroPage.putLong(entry, from).putLong(entry + 8, to - from).putInt(entry + 16, type);
        return index + 1;
    }

    /** The first GiB mapped to itself by 2 MiB pages: the kernel needs itself, zero page and command line mapped. */
    private static void writePageTables(GuestMemory memory) {
        memory.putLong(BootLayout.PML4, BootLayout.PDPT | PRESENT_WRITABLE);
        memory.putLong(BootLayout.PDPT, BootLayout.PAGE_DIRECTORY | PRESENT_WRITABLE);
        for (int i = 0; i < 512; i++) {
            memory.putLong(BootLayout.PAGE_DIRECTORY + 8L * i, i * LARGE_PAGE_BYTES | LARGE_PAGE | PRESENT_WRITABLE);
        }
    }

    private static long megabytes(long bytes) {
        return (bytes + (1 << 20) - 1) >> 20;
    }
}
