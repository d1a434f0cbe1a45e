// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/** What is on a disk, found by reading only: mounting would already write, if only to replay a journal. */
sealed interface DiskContent {
    /** Nothing at all, as a new volume of a cloud. */
    record Blank() implements DiskContent {}

    /** An ext2, ext3 or ext4 file system. */
    record Ext(UUID id) implements DiskContent {}

    /** @param what for a person */
    record Foreign(String what) implements DiskContent {}

    /**
     * Partition tables and file systems have their marks within the first MiB (btrfs at 64 KiB, LVM in the first sectors), and
     * GPT and RAID also at the end.
     */
    int LOOKED_AT_BYTES = 1 << 20;

    /** Layout of ext4's super block: Linux, Documentation/filesystems/ext4/super.rst. */
    int SUPER_BLOCK = 1024;

    int EXT_MAGIC_AT = SUPER_BLOCK + 0x38;
    int EXT_MAGIC = 0xEF53;
    int EXT_UUID_AT = SUPER_BLOCK + 0x68;

    static DiskContent of(Path disk) throws IOException {
        try (FileChannel channel = FileChannel.open(disk, StandardOpenOption.READ)) {
            // size() of a block device is 0: its end is where seeking ends, see DiskContent.end.
            long lengthBytes = end(channel);
            ByteBuffer start = read(channel, 0, (int) Math.min(LOOKED_AT_BYTES, lengthBytes));
            if (start.remaining() > EXT_UUID_AT + 16 && (start.getShort(EXT_MAGIC_AT) & 0xFFFF) == EXT_MAGIC) {
                ByteBuffer id = start.duplicate().order(ByteOrder.BIG_ENDIAN);
                return new Ext(new UUID(id.getLong(EXT_UUID_AT), id.getLong(EXT_UUID_AT + 8)));
            }
            long lastAt = Math.max(0, lengthBytes - LOOKED_AT_BYTES);
            ByteBuffer last = read(channel, lastAt, (int) (lengthBytes - lastAt));
            if (isZero(start) && isZero(last)) {
                return new Blank();
            }
            return new Foreign(name(start));
        }
    }

    private static long end(FileChannel channel) throws IOException {
        if (channel.size() > 0) {
            return channel.size();
        }
        // The largest offset at which a byte can be read, by bisection: there is no ioctl from here.
        ByteBuffer one = ByteBuffer.allocate(1);
        long readable = 0;
        long beyond = 1L << 50;
        while (readable < beyond) {
            long middle = readable + (beyond - readable) / 2;
            if (channel.read(one.clear(), middle) > 0) {
                readable = middle + 1;
            } else {
                beyond = middle;
            }
        }
        return readable;
    }

    private static ByteBuffer read(FileChannel channel, long at, int lengthBytes) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
        while (into.hasRemaining()) {
            if (channel.read(into, at + into.position()) < 0) {
                throw new EOFException("the disk ends at " + (at + into.position()));
            }
        }
        return into.flip();
    }

    private static boolean isZero(ByteBuffer bytes) {
        return ByteBuffer.allocate(bytes.remaining()).equals(bytes);
    }

    private static String name(ByteBuffer start) {
        if (has(start, 0, "XFSB")) {
            return "an XFS file system";
        }
        if (has(start, 0, "LUKS")) {
            return "an encrypted volume (LUKS)";
        }
        if (has(start, 512, "LABELONE")) {
            return "an LVM physical volume";
        }
        if (has(start, 512, "EFI PART")) {
            return "a partition table (GPT)";
        }
        if (has(start, 64 * 1024 + 64, "_BHRfS_M")) {
            return "a btrfs file system";
        }
        if (has(start, 3, "NTFS")) {
            return "an NTFS file system";
        }
        if (start.remaining() >= 512 && (start.getShort(510) & 0xFFFF) == 0xAA55) {
            return "a partition table or boot sector";
        }
        return "data of an unknown kind";
    }

    private static boolean has(ByteBuffer bytes, int at, String mark) {
        byte[] wanted = mark.getBytes(StandardCharsets.ISO_8859_1);
        return bytes.remaining() >= at + wanted.length
                && bytes.slice(at, wanted.length).equals(ByteBuffer.wrap(wanted));
    }
}
