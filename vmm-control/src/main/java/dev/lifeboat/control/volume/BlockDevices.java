// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The block devices of this host by serial number, from sysfs: virtio shows it in {@code serial}, NVMe in {@code
 * device/serial}, SCSI in the vital product data page 0x80. The kernel's names mean nothing: they follow the order in
 * which disks appear. Any thread.
 */
final class BlockDevices {
    /** Header of a vital product data page: SPC-4, 7.8.1. */
    private static final int VPD_HEADER_BYTES = 4;
    /** What virtio-blk cuts serial numbers to: VIRTIO_BLK_ID_BYTES. */
    private static final int VIRTIO_SERIAL_BYTES = 20;

    private final Path sysBlock;
    private final Path dev;

    /** @param sysBlock {@code /sys/block} */
    BlockDevices(Path sysBlock, Path dev) {
        this.sysBlock = sysBlock;
        this.dev = dev;
    }

    /** @throws ControlException when two disks show the same number */
    Optional<Path> find(String serial) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> blocks = Files.newDirectoryStream(sysBlock)) {
            for (Path block : blocks) {
                if (hasSerial(block, serial)) {
                    found.add(dev.resolve(block.getFileName().toString()));
                }
            }
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot look for disks in " + sysBlock + ": " + e.getMessage(), e);
        }
        if (found.size() > 1) {
            throw new ControlException(
                    ExitCode.FAILED,
                    "several disks show the serial number " + serial + ": " + found
                            + "; none is touched. Give each disk a number of its own");
        }
        return found.stream().findFirst();
    }

    private static boolean hasSerial(Path block, String serial) {
        String wanted = plain(serial);
        return text(block.resolve("serial"))
                        .filter(shown -> shown.equals(serial) || isCut(shown, serial))
                        .isPresent()
                || text(block.resolve("device/serial"))
                        .filter(shown -> plain(shown).equals(wanted))
                        .isPresent()
                || page80(block.resolve("device/vpd_pg80"))
                        .filter(shown -> plain(shown).equals(wanted))
                        .isPresent();
    }

    private static boolean isCut(String shown, String serial) {
        return serial.length() > VIRTIO_SERIAL_BYTES && shown.equals(serial.substring(0, VIRTIO_SERIAL_BYTES));
    }

    /** EBS shows {@code vol0123...} of {@code vol-0123...}. */
    private static String plain(String serial) {
        return serial.replace("-", "");
    }

    private static Optional<String> text(Path file) {
        return bytes(file)
                .map(content -> new String(content, StandardCharsets.ISO_8859_1).strip())
                .filter(shown -> !shown.isEmpty());
    }

    private static Optional<String> page80(Path file) {
        return bytes(file)
                .filter(content -> content.length > VPD_HEADER_BYTES)
                .map(content -> new String(
                                content,
                                VPD_HEADER_BYTES,
                                content.length - VPD_HEADER_BYTES,
                                StandardCharsets.ISO_8859_1)
                        .strip());
    }

    /** Empty for a disk that has no such file, or that goes away at this very moment. */
    private static Optional<byte[]> bytes(Path file) {
        try {
            return Files.isRegularFile(file) ? Optional.of(Files.readAllBytes(file)) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
