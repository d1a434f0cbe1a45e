// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.store.VmShape.DiskShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * An hour of a guest that rewrites its memory, an epoch every five seconds of simulated time: at every object operation
 * the store is below twice the memory and the disk written. Nothing in it can be compressed, so nothing helps but
 * retention and compaction. Prints the curve.
 */
class StoreSizeTest {
    private static final int PAGES = 2048;
    private static final int BLOCKS = 1024;
    private static final int EPOCH_SECONDS = 5;
    private static final long SEED = 41;
    /** In proportion to the guest, which is small. */
    private static final StoreSettings SETTINGS =
            new StoreSettings(80 * 1024, 512 * 1024, 2, 2, RetentionPolicy.DEFAULT, true, 16, 60_000, 60_000, 30_000);

    private final HeapObjectStore objects = new HeapObjectStore();
    private final Random random = new Random(SEED);
    private final ModelVm memory = new ModelVm(PAGES);
    private final ModelVm disk = new ModelVm(BLOCKS);
    private long nowMs = 1_700_000_000_000L;

    @Test
    void anHourOfRewritingStaysBelowTwiceTheMemoryAndTheDiskWritten() {
        VmShape shape = new VmShape(PAGES, List.of(new DiskShape(BLOCKS, Optional.empty())));
        DefaultVmStore vm = new DefaultVmStore(objects, "vm-1", SETTINGS, () -> nowMs);
        OwnerRecord owner = VmStoreSuite.record("vm-1", 1);
        vm.owners().claim(owner);
        random.nextBytes(memory.memory);
        disk.dirty.clear();
        List<String> curve = new ArrayList<>();
        long blocksWritten = 0;
        double[] worst = new double[Phase.values().length];
        long epochBytes = 0;
        try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(owner, shape)) {
            for (int second = 0; second < 3600; second += EPOCH_SECONDS) {
                rewrite(second);
                blocksWritten = Math.max(blocksWritten, disk.dirty.length());
                memory.append(writer, 0);
                disk.append(writer, 1);
                epochBytes += writer.bytesInEpoch();
                writer.commit("{}", new byte[0], nowMs);
                memory.committed();
                disk.committed();
                writer.awaitBackground();
                nowMs += EPOCH_SECONDS * 1000L;
                long limitBytes = 2 * ModelVm.PAGE * (PAGES + blocksWritten);
                long peakBytes = objects.takePeakBytes();
                int phase = phase(second).ordinal();
                worst[phase] = Math.max(worst[phase], 100.0 * peakBytes / limitBytes);
                if (second % 60 == 0) {
                    curve.add(String.format(
                            "minute %2d %-8s %6.1f MiB of %5.1f MiB (%2.0f %%), %3d segments, %3d compactions",
                            second / 60,
                            phase(second),
                            peakBytes / 1048576.0,
                            limitBytes / 1048576.0,
                            100.0 * peakBytes / limitBytes,
                            vm.newestWhole().orElseThrow().segments().size(),
                            writer.compactions()));
                }
                assertThat(peakBytes)
                        .as("second %d (seed %d)%n%s", second, SEED, String.join("\n", curve))
                        .isLessThan(limitBytes);
            }
            assertThat(writer.compactions()).isPositive();
        }
        EpochManifest newest = vm.newestWhole().orElseThrow();
        assertThat(ModelVm.restore(vm, newest, 0)).isEqualTo(memory.memory);
        assertThat(ModelVm.restore(vm, newest, 1)).isEqualTo(disk.memory);
        System.out.printf(
                "%s%nworst of each phase, %% of the limit: %s; %.1f bytes written per byte of an epoch%n",
                String.join("\n", curve),
                Arrays.toString(Arrays.stream(worst).mapToLong(Math::round).toArray()),
                (double) objects.writtenBytes() / epochBytes);
    }

    /** Six phases of ten minutes. */
    private static Phase phase(int second) {
        return Phase.values()[second / 600];
    }

    private enum Phase {
        HOT,
        SWEEP,
        RANDOM,
        IDLE,
        BURSTS,
        DISK
    }

    private void rewrite(int second) {
        int epoch = second / EPOCH_SECONDS;
        switch (phase(second)) {
            case HOT -> touch(memory, 60, PAGES / 50);
            case SWEEP -> touchFrom(memory, epoch * 64 % PAGES, 64);
            case RANDOM -> touch(memory, 150, PAGES);
            case IDLE -> touch(memory, 3, PAGES);
            case BURSTS -> touch(memory, epoch % 12 < 3 ? PAGES / 5 : 10, PAGES);
            default -> {
                touch(memory, 20, PAGES / 10);
                touchFrom(disk, epoch * 16 % BLOCKS, 16);
            }
        }
    }

    private void touch(ModelVm space, int writes, int ofPages) {
        for (int i = 0; i < writes; i++) {
            fill(space, random.nextInt(ofPages));
        }
    }

    private void touchFrom(ModelVm space, int first, int pages) {
        for (int page = first; page < first + pages; page++) {
            fill(space, page);
        }
    }

    private void fill(ModelVm space, int page) {
        for (int at = page * ModelVm.PAGE; at < (page + 1) * ModelVm.PAGE; at += 8) {
            long word = random.nextLong();
            for (int i = 0; i < 8; i++) {
                space.memory[at + i] = (byte) (word >> 8 * i);
            }
        }
        space.dirty.set(page);
    }
}
