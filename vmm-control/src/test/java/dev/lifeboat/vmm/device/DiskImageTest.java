// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class DiskImageTest {
    private static final int BLOCK = 4096;
    private static final int SECTOR = 512;
    private static final int BLOCKS = 40;
    /** The base ends in the middle of a block, and the disk reaches further. */
    private static final int BASE_BYTES = 20 * BLOCK + 1000;

    @TempDir
    Path folder;

    private final GuestMemory memory = new GuestMemory(64L * BLOCK);
    private final IoVectors vectors = new IoVectors(memory, 8);
    private final long scratch = NativeMemory.allocate((long) BLOCKS * BLOCK);
    private final List<DiskImage> open = new ArrayList<>();
    private byte[] expected;

    @BeforeEach
    void fillBase() throws IOException {
        byte[] base = new byte[BASE_BYTES];
        new Random(3).nextBytes(base);
        Files.write(folder.resolve("base"), base);
        expected = Arrays.copyOf(base, BLOCKS * BLOCK);
    }

    @AfterEach
    void close() {
        open.forEach(DiskImage::close);
        vectors.close();
        memory.close();
        NativeMemory.free(scratch);
    }

    private DiskImage overBase(String name) {
        Optional<DiskImage.Base> base = Optional.of(new DiskImage.Base(
                "sha256-" + "1".repeat(64), folder.resolve("base").toString()));
        return use(DiskImage.create(folder.resolve(name).toString(), (long) BLOCKS * BLOCK, base));
    }

    private DiskImage use(DiskImage disk) {
        open.add(disk);
        return disk;
    }

    /** Writes as the device does, from two pieces of guest memory. */
    private void write(DiskImage disk, int offset, byte[] content) {
        memory.write(0, content, 0, content.length);
        int cut = content.length / 3;
        vectors.clear();
        vectors.append(0, memory.translate(0, cut), cut);
        vectors.append(cut, memory.translate(cut, content.length - cut), content.length - cut);
        disk.write(vectors, 0, 2, offset, content.length);
    }

    private byte[] readByDevice(DiskImage disk, int offset, int lengthBytes) {
        vectors.clear();
        int cut = lengthBytes / 2;
        vectors.append(0, memory.translate(0, cut), cut);
        vectors.append(cut, memory.translate(cut, lengthBytes - cut), lengthBytes - cut);
        int done = 0;
        while (done < lengthBytes) {
            long got = disk.preadv(vectors, 0, 2, offset + done, lengthBytes - done);
            assertThat(got).isPositive();
            vectors.trimFront(0, got);
            done += (int) got;
        }
        byte[] content = new byte[lengthBytes];
        memory.read(0, content, 0, lengthBytes);
        return content;
    }

    private byte[] readByStream(DiskImage disk) {
        disk.read(0, BLOCKS, scratch);
        byte[] content = new byte[BLOCKS * BLOCK];
        NativeMemory.copy(scratch, content, 0, content.length);
        return content;
    }

    private static PageBitmap takeDirty(DiskImage disk) {
        PageBitmap taken = new PageBitmap(disk.blocks());
        disk.dirtyBlocks().drainTo(taken);
        return taken;
    }

    @Test
    void randomWritesOverABaseReadBackEverywhereAndTheBaseStaysAsItWas() throws IOException {
        byte[] base = Files.readAllBytes(folder.resolve("base"));
        DiskImage disk = overBase("disk");
        assertThat(readByStream(disk)).isEqualTo(expected);
        Random random = new Random(11);
        for (int i = 0; i < 300; i++) {
            int sectors = 1 + random.nextInt(24);
            int sector = random.nextInt(BLOCKS * 8 - sectors);
            byte[] content = new byte[sectors * SECTOR];
            random.nextBytes(content);
            write(disk, sector * SECTOR, content);
            System.arraycopy(content, 0, expected, sector * SECTOR, content.length);
            int from = random.nextInt(BLOCKS * 8 - 40) * SECTOR;
            assertThat(readByDevice(disk, from, 40 * SECTOR))
                    .isEqualTo(Arrays.copyOfRange(expected, from, from + 40 * SECTOR));
            if (i % 50 == 0) {
                assertThat(readByStream(disk)).isEqualTo(expected);
            }
        }
        assertThat(readByStream(disk)).isEqualTo(expected);
        assertThat(Files.readAllBytes(folder.resolve("base"))).isEqualTo(base);
    }

    @Test
    void whatIsDirtyMovesAndMakesTheSameDiskElsewhere() {
        DiskImage disk = overBase("disk");
        DiskImage target = overBase("target");
        write(disk, 3 * SECTOR, new byte[SECTOR]);
        write(disk, 7 * BLOCK, new byte[2 * BLOCK]);
        write(disk, 30 * BLOCK + SECTOR, filled(SECTOR));
        PageBitmap dirty = takeDirty(disk);
        assertThat(dirty.count()).isEqualTo(4);
        long[] present = new long[1];
        disk.forEachRange((first, count) -> present[0] += count);
        assertThat(present[0])
                .as("every written block, and no other, differs from the base")
                .isEqualTo(4);
        for (long block = 0; block < BLOCKS; block++) {
            if (dirty.get(block)) {
                disk.read(block, 1, scratch);
                // Zeroes come without bytes.
                target.fill(block, 1, block == 7 || block == 8 ? 0 : scratch);
            }
        }
        assertThat(readByStream(target)).isEqualTo(readByStream(disk));
        assertThat(takeDirty(target).count()).as("what was filled is not dirty").isZero();
    }

    private static byte[] filled(int lengthBytes) {
        byte[] bytes = new byte[lengthBytes];
        Arrays.fill(bytes, (byte) 0x5a);
        return bytes;
    }

    /** The order of {@code StreamedDisk.dirtyBlocks}: bits taken before a read never cost a write. */
    @Test
    void aBlockThatIsReadAfterItsMarkWasTakenIsNewOrMarkedAgain() throws InterruptedException {
        DiskImage disk = overBase("disk");
        AtomicBoolean over = new AtomicBoolean();
        byte[] last = new byte[1];
        Thread guest = new Thread(() -> {
            for (int i = 1; i <= 3_000; i++) {
                byte[] content = new byte[BLOCK];
                Arrays.fill(content, (byte) i);
                write(disk, 5 * BLOCK, content);
                last[0] = (byte) i;
            }
            over.set(true);
        });
        guest.start();
        long seen = 0;
        while (true) {
            boolean wasOver = over.get();
            if (takeDirty(disk).get(5)) {
                disk.read(5, 1, scratch);
                seen = NativeMemory.getByte(scratch);
            }
            if (wasOver) {
                break;
            }
        }
        guest.join();
        assertThat(seen).isEqualTo(last[0]);
    }

    @Test
    void aWriteThatFailsLeavesOldBytesAndTheNextOneWorks() {
        DiskImage disk = overBase("disk");
        vectors.clear();
        // An address that the kernel refuses, after a good piece.
        vectors.append(0, memory.translate(0, BLOCK), BLOCK);
        vectors.append(BLOCK, 8, BLOCK);
        assertThatThrownBy(() -> disk.write(vectors, 0, 2, 2L * BLOCK, 2L * BLOCK))
                .isInstanceOf(LinuxException.class);
        System.arraycopy(new byte[BLOCK], 0, expected, 2 * BLOCK, BLOCK);
        byte[] now = readByStream(disk);
        // The first block may or may not have been written; the second is still the base's.
        assertThat(Arrays.copyOfRange(now, 3 * BLOCK, 4 * BLOCK))
                .isEqualTo(Arrays.copyOfRange(expected, 3 * BLOCK, 4 * BLOCK));
        PageBitmap dirty = takeDirty(disk);
        disk.forEachRange((first, count) -> {
            for (long block = first; block < first + count; block++) {
                assertThat(dirty.get(block)).isTrue();
            }
        });
        write(disk, 2 * BLOCK, filled(2 * BLOCK));
        System.arraycopy(filled(2 * BLOCK), 0, expected, 2 * BLOCK, 2 * BLOCK);
        assertThat(readByStream(disk)).isEqualTo(expected);
    }

    @Test
    void aBlankDiskIsSparseAndItsLastBlockMayBeBroken() throws IOException {
        long sizeBytes = 100L * BLOCK + SECTOR;
        DiskImage disk = use(DiskImage.create(folder.resolve("blank").toString(), sizeBytes, Optional.empty()));
        assertThat(disk.blocks()).isEqualTo(101);
        long[] ranges = new long[1];
        disk.forEachRange((first, count) -> ranges[0] += count);
        assertThat(ranges[0]).isZero();
        write(disk, 100 * BLOCK, filled(SECTOR));
        assertThat(takeDirty(disk).get(100)).isTrue();
        disk.read(100, 1, scratch);
        assertThat(NativeMemory.getByte(scratch + SECTOR - 1)).isEqualTo((byte) 0x5a);
        assertThat(NativeMemory.getByte(scratch + SECTOR)).isZero();
        disk.fill(100, 1, scratch);
        assertThat(Files.size(folder.resolve("blank"))).isEqualTo(sizeBytes);
    }

    @Test
    void sizesThatDoNotFitAreRefusedWithAdvice() {
        Optional<DiskImage.Base> base = Optional.of(new DiskImage.Base(
                "sha256-" + "1".repeat(64), folder.resolve("base").toString()));
        String path = folder.resolve("small").toString();
        assertThatThrownBy(() -> DiskImage.create(path, BLOCK, base))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("smaller than its base image");
        assertThatThrownBy(() -> DiskImage.create(path, 1000, Optional.empty()))
                .hasMessageContaining("multiple of 512");
        assertThatThrownBy(() -> DiskImage.create("/nonexistent/disk", BLOCK, Optional.empty()))
                .hasMessageContaining("cannot make the disk /nonexistent/disk");
    }
}
