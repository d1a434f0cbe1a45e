// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class EpochWriterAllocationTest {
    private static final int PAGES = 16 * 1024;

    @Test
    void anEpochAllocatesPerSegmentAndNotPerPage() {
        HeapObjectStore objects = new HeapObjectStore();
        StoreSettings settings =
                new StoreSettings(1 << 20, 1 << 20, 2, 2, RetentionPolicy.DEFAULT, false, 2, 60_000, 60_000, 30_000);
        ByteBuffer payload = ByteBuffer.allocateDirect(512);
        byte[] bytes = new byte[512];
        new Random(1).nextBytes(bytes);
        payload.put(bytes).flip();
        int crc32c = RunCodec.crc32c(payload);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        try (EpochWriter writer = new DefaultVmStore(objects, "vm-1", settings)
                .writer(VmStoreSuite.record("vm-1", 1), VmShape.ofMemory(PAGES))) {
            long allocated = 0;
            for (int epoch = 0; epoch < 4; epoch++) {
                long before = threads.getThreadAllocatedBytes(self);
                for (int page = 0; page < PAGES; page++) {
                    writer.append(VmShape.MEMORY, page, 1, RunCodec.LZ4, payload.rewind(), crc32c);
                }
                // Of the last epoch: buffers have grown, classes are loaded.
                allocated = threads.getThreadAllocatedBytes(self) - before;
                writer.commit("{}", new byte[0], 1);
            }
            int segments = PAGES * (512 + SegmentIndex.ENTRY_BYTES) / (1 << 20) + 1;
            assertThat(allocated / segments).as("bytes per segment").isLessThan(8 * 1024);
            assertThat(allocated).as("bytes for %d pages", PAGES).isLessThan(8L * PAGES);
        }
    }

    @Test
    void theIndexOfAnEpochTakesEightBytesPerPageAndSixteenWithDeltas() {
        PageIndex index = new PageIndex(VmShape.MEMORY, PAGES);
        assertThat(index.heapBytes()).isEqualTo(8L * PAGES);
        HeapObjectStore objects = new HeapObjectStore();
        ModelVm model = new ModelVm(64).withDeltas(new Random(2));
        DefaultVmStore vm = new DefaultVmStore(objects, "vm-1", VmStoreSuite.SMALL);
        try (EpochWriter writer = vm.writer(VmStoreSuite.record("vm-1", 1), VmShape.ofMemory(64))) {
            for (int epoch = 0; epoch < 8; epoch++) {
                model.append(writer);
                model.commit(writer);
                model.memory[epoch * ModelVm.PAGE]++;
                model.dirty.set(epoch);
            }
        }
        try (EpochReader reader = vm.open(vm.newestWhole().orElseThrow())) {
            assertThat(((DefaultEpochReader) reader).indexHeapBytes()).isEqualTo(16L * 64);
        }
    }
}
