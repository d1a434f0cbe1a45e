// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.VmmException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A Linux kernel image as distributions ship it (Documentation/arch/x86/boot.rst): a real-mode part with the setup
 * header, then the protected-mode part that we load at 1 MiB and enter in long mode 0x200 bytes into it.
 */
final class BzImage {
    private static final int SECTOR_BYTES = 512;
    private static final int SETUP_HEADER = 0x1f1;
    private static final int HEADER_SEARCH_BYTES = 0x1000;
    private static final int MAGIC = 0x53726448; // "HdrS"
    private static final int OLDEST_PROTOCOL = 0x20c;
    private static final int XLOADFLAG_64_BIT = 1;
    private static final int ENTRY_64_OFFSET = 0x200;

    private final Path path;
    private final ByteBuffer head;
    private final long fileBytes;

    private BzImage(Path path, ByteBuffer head, long fileBytes) {
        this.path = path;
        this.head = head;
        this.fileBytes = fileBytes;
    }

    /** Reads and checks the header. */
    static BzImage open(Path path) {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            ByteBuffer head = ByteBuffer.allocate(HEADER_SEARCH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            while (head.hasRemaining() && file.read(head) >= 0) {
                continue;
            }
            head.flip();
            BzImage image = new BzImage(path, head, file.size());
            image.check();
            return image;
        } catch (NoSuchFileException e) {
            throw new VmmException(
                    "the kernel " + path + " does not exist; name a Linux bzImage, for example /boot/vmlinuz-*", e);
        } catch (IOException e) {
            throw new VmmException("the kernel " + path + " cannot be read: " + e, e);
        }
    }

    private void check() {
        if (head.limit() < 0x268) {
            throw new VmmException("the kernel " + path + " has only " + fileBytes
                    + " bytes: it is truncated; copy it again from its package");
        }
        if ((head.getShort(0x1fe) & 0xffff) != 0xaa55 || head.getInt(0x202) != MAGIC) {
            throw new VmmException("the kernel " + path
                    + " is not a Linux bzImage (no setup header); use a distribution's vmlinuz, not an ELF vmlinux");
        }
        int protocol = head.getShort(0x206) & 0xffff;
        if (protocol < OLDEST_PROTOCOL || (head.getShort(0x236) & XLOADFLAG_64_BIT) == 0) {
            throw new VmmException("the kernel " + path + " cannot be entered in 64-bit mode (boot protocol "
                    + (protocol >> 8) + "." + (protocol & 0xff) + "); use an x86-64 kernel of Linux 3.8 or later");
        }
        if (fileBytes < setupBytes() + payloadBytes()) {
            throw new VmmException("the kernel " + path + " is truncated: its header promises "
                    + (setupBytes() + payloadBytes()) + " bytes, the file has " + fileBytes
                    + "; copy it again from its package");
        }
    }

    private long setupBytes() {
        int sectors = head.get(SETUP_HEADER) & 0xff;
        return (sectors == 0 ? 4 : sectors) * (long) SECTOR_BYTES + SECTOR_BYTES;
    }

    private long payloadBytes() {
        return (head.getInt(0x1f4) & 0xffff_ffffL) * 16;
    }

    /** The kernel unpacks itself to its preferred address (or ours, if that is higher) and needs this much there. */
    long memoryEnd() {
        long preferred = head.getLong(0x258);
        long initBytes = head.getInt(0x260) & 0xffff_ffffL;
        return Math.max(preferred, BootLayout.KERNEL) + initBytes;
    }

    long highestInitrdAddress() {
        return head.getInt(0x22c) & 0xffff_ffffL;
    }

    int maxCommandLineBytes() {
        return head.getInt(0x238);
    }

    long entry() {
        return BootLayout.KERNEL + ENTRY_64_OFFSET;
    }

    /** The setup header as it stands in the file, to be placed at {@link #headerOffset} of the zero page. */
    byte[] header() {
        int end = 0x202 + (head.get(0x201) & 0xff);
        byte[] header = new byte[end - SETUP_HEADER];
        head.get(SETUP_HEADER, header);
        return header;
    }

    static int headerOffset() {
        return SETUP_HEADER;
    }

    void load(GuestMemory memory) {
        FileLoader.load("kernel", path, setupBytes(), payloadBytes(), memory, BootLayout.KERNEL);
    }
}
