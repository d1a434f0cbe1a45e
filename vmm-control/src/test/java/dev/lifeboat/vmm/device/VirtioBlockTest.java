// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VirtioBlockTest {
    private static final long HEADER = 0x20_0000;
    private static final long STATUS = 0x20_1000;
    private static final long DATA = 0x30_0000;
    private static final int SECTORS = 256;
    private static final int O_RDWR = 2;

    private final GuestMemory memory = new GuestMemory(8 << 20);
    private final Interrupts interrupts = new Interrupts();
    private Path file;
    private VirtioMmioTransport transport;
    private TestDriver driver;
    private TestDriver.Queue queue;

    @BeforeEach
    void attach(@TempDir Path folder) throws IOException {
        file = folder.resolve("disk");
        Files.write(file, new byte[SECTORS * 512]);
        use(VirtioBlock.open("block-test", memory, file.toString(), false, "serial-number"));
    }

    private void use(VirtioBlock disk) {
        if (transport != null) {
            transport.close();
        }
        transport = new VirtioMmioTransport(disk, memory, interrupts);
        driver = new TestDriver(memory, transport).setUp(-1L, 64);
        queue = driver.queues.get(0);
    }

    @AfterEach
    void close() {
        transport.close();
        memory.close();
    }

    private int request(int type, long sector, TestDriver.Piece... data) {
        start(type, sector, data);
        interrupts.awaitUntil("request " + type, queue::hasUsed);
        queue.take();
        return memory.getByte(STATUS);
    }

    private void start(int type, long sector, TestDriver.Piece... data) {
        memory.putLong(HEADER, type);
        memory.putLong(HEADER + 8, sector);
        memory.putByte(STATUS, (byte) 0x55);
        TestDriver.Piece[] pieces = new TestDriver.Piece[data.length + 2];
        pieces[0] = new TestDriver.Piece(HEADER, 16, false);
        System.arraycopy(data, 0, pieces, 1, data.length);
        pieces[data.length + 1] = new TestDriver.Piece(STATUS, 1, true);
        queue.add(pieces);
    }

    private static TestDriver.Piece out(long address, int lengthBytes) {
        return new TestDriver.Piece(address, lengthBytes, false);
    }

    private static TestDriver.Piece in(long address, int lengthBytes) {
        return new TestDriver.Piece(address, lengthBytes, true);
    }

    @Test
    void theConfigurationTellsTheCapacity() {
        assertThat(transport.read(0x100, 8)).isEqualTo(SECTORS);
        assertThat(transport.read(0x10c, 4)).isEqualTo(254);
    }

    @Test
    void whatIsWrittenIsInTheFileAndIsReadBackInOtherPieces() throws IOException {
        byte[] content = new byte[8 * 512];
        new Random(7).nextBytes(content);
        memory.write(DATA, content, 0, content.length);
        assertThat(request(VirtioBlock.REQUEST_OUT, 3, out(DATA, 512), out(DATA + 512, 7 * 512)))
                .isZero();
        byte[] onDisk = new byte[content.length];
        System.arraycopy(Files.readAllBytes(file), 3 * 512, onDisk, 0, onDisk.length);
        assertThat(onDisk).isEqualTo(content);

        memory.ownWrites().drainTo(new PageBitmap(memory.pages()));
        assertThat(request(VirtioBlock.REQUEST_IN, 3, in(DATA + 0x10000, 1000), in(DATA + 0x20000, 3096)))
                .isZero();
        byte[] back = new byte[content.length];
        memory.read(DATA + 0x10000, back, 0, 1000);
        memory.read(DATA + 0x20000, back, 1000, 3096);
        assertThat(back).isEqualTo(content);
        assertThat(memory.ownWrites().get((DATA + 0x10000) >> 12)).isTrue();
        assertThat(memory.ownWrites().get((DATA + 0x20000) >> 12)).isTrue();
        assertThat(memory.ownWrites().get(STATUS >> 12)).isTrue();
    }

    @Test
    void aStatusByteThatSharesItsPieceWithTheDataIsFound() {
        memory.putLong(HEADER, VirtioBlock.REQUEST_IN);
        memory.putLong(HEADER + 8, 0);
        memory.putByte(DATA + 512, (byte) 0x55);
        queue.add(out(HEADER, 16), in(DATA, 513));
        interrupts.awaitUntil("read", queue::hasUsed);
        assertThat(queue.take().lengthBytes()).isEqualTo(513);
        assertThat(memory.getByte(DATA + 512)).isZero();
    }

    @Test
    void requestsBeyondTheEndOrOfBrokenSectorsAreErrorsAndTheNextOneWorks() {
        assertThat(request(VirtioBlock.REQUEST_IN, SECTORS, in(DATA, 512))).isEqualTo(VirtioBlock.STATUS_IOERR);
        assertThat(request(VirtioBlock.REQUEST_OUT, -1, out(DATA, 512))).isEqualTo(VirtioBlock.STATUS_IOERR);
        assertThat(request(VirtioBlock.REQUEST_OUT, Long.MAX_VALUE / 256, out(DATA, 512)))
                .isEqualTo(VirtioBlock.STATUS_IOERR);
        assertThat(request(VirtioBlock.REQUEST_IN, 0, in(DATA, 511))).isEqualTo(VirtioBlock.STATUS_IOERR);
        assertThat(request(VirtioBlock.REQUEST_IN, SECTORS - 1, in(DATA, 512))).isZero();
        assertThat(driver.status() & TestDriver.NEEDS_RESET).isZero();
    }

    @Test
    void flushAndIdentityAreAnsweredAndUnknownRequestsAreUnsupported() {
        assertThat(request(VirtioBlock.REQUEST_OUT, 0, out(DATA, 512))).isZero();
        assertThat(request(VirtioBlock.REQUEST_FLUSH, 0)).isZero();
        assertThat(request(VirtioBlock.REQUEST_GET_ID, 0, in(DATA, 20))).isZero();
        byte[] id = new byte[20];
        memory.read(DATA, id, 0, 20);
        assertThat(new String(id, StandardCharsets.US_ASCII).trim()).isEqualTo("serial-number");
        assertThat(request(99, 0)).isEqualTo(VirtioBlock.STATUS_UNSUPPORTED);
    }

    @Test
    void aReadOnlyDiskSaysSoAndRefusesWrites() {
        use(VirtioBlock.open("block-ro", memory, file.toString(), true, "ro"));
        assertThat(driver.features & 1L << VirtioBlock.FEATURE_RO).isNotZero();
        assertThat(request(VirtioBlock.REQUEST_OUT, 0, out(DATA, 512))).isEqualTo(VirtioBlock.STATUS_IOERR);
        assertThat(request(VirtioBlock.REQUEST_IN, 0, in(DATA, 512))).isZero();
    }

    @Test
    void aFullDiskIsAnErrorForTheGuestAndNothingElse() {
        int full = Libc.check(Libc.open("/dev/full", O_RDWR, 0), "open", "/dev/full");
        use(over("block-full", "/dev/full", full));
        assertThat(request(VirtioBlock.REQUEST_OUT, 0, out(DATA, 512))).isEqualTo(VirtioBlock.STATUS_IOERR);
        assertThat(request(VirtioBlock.REQUEST_IN, 0, in(DATA, 512)))
                .as("/dev/full reads as zeroes")
                .isZero();
        assertThat(driver.status() & TestDriver.NEEDS_RESET).isZero();
    }

    @Test
    void aFlushThatFailsIsAnErrorForTheGuest() {
        // /dev/null takes writes and knows no fdatasync: EINVAL
        int noFlush = Libc.check(Libc.open("/dev/null", O_RDWR, 0), "open", "/dev/null");
        use(over("block-noflush", "/dev/null", noFlush));
        assertThat(request(VirtioBlock.REQUEST_OUT, 0, out(DATA, 512))).isZero();
        assertThat(request(VirtioBlock.REQUEST_FLUSH, 0)).isEqualTo(VirtioBlock.STATUS_IOERR);
    }

    @Test
    void aDiskThatArrivedIsFlushedThoughNothingWasWrittenHere() {
        int noFlush = Libc.check(Libc.open("/dev/null", O_RDWR, 0), "open", "/dev/null");
        use(over("block-arrived", "/dev/null", noFlush));
        assertThat(request(VirtioBlock.REQUEST_FLUSH, 0)).isEqualTo(VirtioBlock.STATUS_IOERR);
    }

    private VirtioBlock over(String name, String path, int fd) {
        DiskImage disk = new DiskImage(path, fd, SECTORS * 512, false, Optional.empty(), -1, 0);
        return new VirtioBlock(name, memory, disk, true, "x");
    }

    @Test
    void aRequestWithoutHeaderOrStatusNeedsAReset() {
        queue.add(out(HEADER, 8));
        interrupts.awaitUntil("reset asked for", () -> (driver.status() & TestDriver.NEEDS_RESET) != 0);
        use(VirtioBlock.open("block-again", memory, file.toString(), false, "x"));
        assertThat(request(VirtioBlock.REQUEST_IN, 0, in(DATA, 512))).isZero();
    }

    @Test
    void theTargetsDiskMustHaveTheSameSize() throws IOException {
        transport.pause();
        VirtioMmioState state = transport.state();
        Files.write(file, new byte[512]);
        try (VirtioMmioTransport other = new VirtioMmioTransport(
                VirtioBlock.open("block-other", memory, file.toString(), false, "x"), memory, interrupts)) {
            assertThatThrownBy(() -> other.restore(state))
                    .isInstanceOf(DeviceException.class)
                    .hasMessageContaining("same disk");
        }
    }

    @Test
    void aDiskThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> VirtioBlock.open("block-x", memory, "/nonexistent/disk", false, "x"))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("/nonexistent/disk")
                .hasMessageContaining("No such file");
    }
}
