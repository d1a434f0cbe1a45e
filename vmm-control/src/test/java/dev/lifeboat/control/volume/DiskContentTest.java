// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DiskContentTest {
    private static final long DISK_BYTES = 16 << 20;
    private static final VmmConfig.Volume VOLUME = new VmmConfig.Volume("vol-1", null, "/mnt/v", "ships", true);

    @TempDir
    Path directory;

    private Path disk() throws IOException {
        Path disk = directory.resolve("disk");
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(DISK_BYTES);
        }
        return disk;
    }

    private Path diskWith(long at, byte[] content) throws IOException {
        Path disk = disk();
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.seek(at);
            file.write(content);
        }
        return disk;
    }

    @Test
    void aDiskOfZerosIsBlank() throws IOException {
        assertThat(DiskContent.of(disk())).isEqualTo(new DiskContent.Blank());
    }

    @ParameterizedTest
    @CsvSource({
        "0, XFSB, XFS",
        "0, LUKS, LUKS",
        "512, LABELONE, LVM",
        "512, EFI PART, GPT",
        "65600, _BHRfS_M, btrfs",
        "3, NTFS, NTFS",
        "700000, x, unknown kind",
        "16777215, x, unknown kind"
    })
    void whatIsNotZeroIsForeignAndNamed(long at, String mark, String name) throws IOException {
        assertThat(DiskContent.of(diskWith(at, mark.getBytes(StandardCharsets.ISO_8859_1))))
                .isInstanceOfSatisfying(
                        DiskContent.Foreign.class,
                        foreign -> assertThat(foreign.what()).contains(name));
    }

    @Test
    void aPartitionTableIsForeign() throws IOException {
        assertThat(DiskContent.of(diskWith(510, new byte[] {0x55, (byte) 0xAA})))
                .isEqualTo(new DiskContent.Foreign("a partition table or boot sector"));
    }

    @Test
    void aDiskThatWeFormatIsRecognisedByFleetAndVolumeAndLookingChangesNothing() throws Exception {
        requireMke2fs();
        Path disk = disk();
        UUID id = LinuxHostDisks.fileSystemId(VOLUME);
        LinuxHostDisks.format(VOLUME, disk, id, System.nanoTime() + TimeUnit.SECONDS.toNanos(60));
        byte[] before = Files.readAllBytes(disk);
        assertThat(DiskContent.of(disk)).isEqualTo(new DiskContent.Ext(id));
        assertThat(Arrays.equals(Files.readAllBytes(disk), before)).isTrue();
        assertThat(id)
                .isNotEqualTo(LinuxHostDisks.fileSystemId(new VmmConfig.Volume("vol-2", null, "/mnt/v", "ships", true)))
                .isNotEqualTo(LinuxHostDisks.fileSystemId(new VmmConfig.Volume("vol-1", null, "/mnt/v", "boats", true)))
                .isEqualTo(LinuxHostDisks.fileSystemId(new VmmConfig.Volume("vol-1", "s", "/mnt/w", "ships", false)));
    }

    private static void requireMke2fs() {
        boolean there = Arrays.stream(System.getenv("PATH").split(":"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, "mke2fs")));
        if ("1".equals(System.getenv("LIFEBOAT_TESTS_MUST_RUN"))) {
            assertThat(there).as("mke2fs (package e2fsprogs) is on the path").isTrue();
        }
        assumeThat(there).as("mke2fs (package e2fsprogs) is on the path").isTrue();
    }
}
