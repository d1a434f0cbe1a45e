// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.VmmException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinuxBootTest {
    private static final int SETUP_SECTORS = 3;
    private static final int PAYLOAD_BYTES = 4096;

    @TempDir
    Path folder;

    @Test
    void aMissingKernelIsNamed() {
        refused(folder.resolve("nothing"), Optional.empty(), 64, "does not exist");
    }

    @Test
    void aFileThatIsNoKernelIsRefused() throws IOException {
        Path file = Files.write(folder.resolve("text"), new byte[8192]);
        refused(file, Optional.empty(), 64, "not a Linux bzImage");
    }

    @Test
    void aTruncatedKernelIsRefused() throws IOException {
        Path whole = kernel();
        byte[] bytes = Files.readAllBytes(whole);
        refused(
                Files.write(folder.resolve("cut"), Arrays.copyOf(bytes, bytes.length - 1)),
                Optional.empty(),
                64,
                "truncated");
        refused(Files.write(folder.resolve("stub"), Arrays.copyOf(bytes, 100)), Optional.empty(), 64, "truncated");
    }

    @Test
    void tooLittleMemoryForTheKernelIsRefused() throws IOException {
        refused(kernel(), Optional.empty(), 16, "needs 32 MiB");
    }

    @Test
    void anInitrdLargerThanMemoryIsRefused() throws IOException {
        Path initrd = folder.resolve("initrd");
        try (var file = new RandomAccessFile(initrd.toFile(), "rw")) {
            file.setLength(100 << 20);
        }
        refused(kernel(), Optional.of(initrd), 64, "initrd");
    }

    @Test
    void theZeroPageSaysWhereEverythingIs() throws IOException {
        Path initrd = Files.write(folder.resolve("initrd"), new byte[] {1, 2, 3});
        try (GuestMemory memory = new GuestMemory(5L << 30)) {
            LinuxBoot.Entry entry = LinuxBoot.load(memory, kernel(), Optional.of(initrd), "console=ttyS0", 2, 1);

            long page = entry.zeroPage();
            assertThat(entry.instructionPointer()).isEqualTo(BootLayout.KERNEL + 0x200);
            assertThat(memory.getByte(entry.instructionPointer())).isEqualTo((byte) 0x5a);
            assertThat(memory.getLong(page + 0x70)).isEqualTo(BootLayout.RSDP);
            assertThat(memory.getInt(page + 0x21c)).isEqualTo(3);
            long address = memory.getInt(page + 0x218) & 0xffff_ffffL;
            assertThat(address).isLessThanOrEqualTo(0x7fff_ffffL).isGreaterThan(0x7f00_0000L);
            assertThat(memory.getByte(address + 2)).isEqualTo((byte) 3);
            assertThat(memory.getByte(page + 0x1e8)).as("e820 entries").isEqualTo((byte) 4);
            assertThat(memory.getLong(page + 0x2d0 + 60)).isEqualTo(GuestMemory.GAP_END);
            assertThat(memory.getLong(page + 0x2d0 + 68)).isEqualTo(2L << 30);
            assertThat(memory.getByte(BootLayout.COMMAND_LINE + 13)).isZero();
        }
    }

    @Test
    void everyAcpiTableHasAChecksumOfZero() {
        for (byte[] table : new byte[][] {
            AcpiTables.fadt(0x1000), AcpiTables.madt(16), AcpiTables.dsdt(17), AcpiTables.xsdt(1, 2), AcpiTables.rsdp(3)
        }) {
            int sum = 0;
            for (byte value : table) {
                sum += value;
            }
            assertThat(sum & 0xff).isZero();
        }
        assertThat(AcpiTables.fadt(0)).hasSize(276);
    }

    @Test
    void packageLengthsCountThemselves() {
        assertThat(AmlWriter.scope("_SB_", new byte[57])).hasSize(63).startsWith(0x10, 62);
        assertThat(AmlWriter.scope("_SB_", new byte[59])).startsWith(0x10, 0x41, 0x04);
        assertThat(AmlWriter.eisaId("PNP0501")).containsExactly(0x0c, 0x41, 0xd0, 0x05, 0x01);
    }

    @Test
    void theCommandLineKeepsWhatTheUserSaid() {
        assertThat(CommandLine.complete("panic=30 reboot=k -- x"))
                .startsWith("panic=30 reboot=k,panic_warm ")
                .doesNotContain("panic=-1")
                .endsWith(" -- x");
        assertThat(CommandLine.complete("reboot=t")).doesNotContain("panic_warm");
        assertThat(CommandLine.complete("")).contains("clocksource=kvm-clock").contains(CommandLine.REBOOT);
    }

    @Test
    void aPanicIsTheWarmReset() {
        try (GuestMemory memory = new GuestMemory(1 << 20)) {
            assertThat(RebootReason.wasPanic(memory)).isFalse();
            memory.putShort(0x472, (short) 0x1234);
            assertThat(RebootReason.wasPanic(memory)).isTrue();
        }
    }

    private void refused(Path kernel, Optional<Path> initrd, int megabytes, String words) {
        try (GuestMemory memory = new GuestMemory((long) megabytes << 20)) {
            assertThatThrownBy(() -> LinuxBoot.load(memory, kernel, initrd, "", 1, 0))
                    .isInstanceOf(VmmException.class)
                    .hasMessageContaining(words);
        }
    }

    /** The smallest file that passes for a bzImage; it unpacks itself to 16 MiB and needs 16 MiB there. */
    private Path kernel() throws IOException {
        int setupBytes = (SETUP_SECTORS + 1) * 512;
        ByteBuffer file = ByteBuffer.allocate(setupBytes + PAYLOAD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        file.put(0x1f1, (byte) SETUP_SECTORS).putInt(0x1f4, PAYLOAD_BYTES / 16);
        file.putShort(0x1fe, (short) 0xaa55).put(0x201, (byte) 0x66).putInt(0x202, 0x53726448);
        file.putShort(0x206, (short) 0x20f).putInt(0x22c, 0x7fff_ffff).putShort(0x236, (short) 1);
        file.putInt(0x238, 2047).putLong(0x258, 16 << 20).putInt(0x260, 16 << 20);
        file.put(setupBytes + 0x200, (byte) 0x5a);
        return Files.write(folder.resolve("kernel"), file.array());
    }
}
