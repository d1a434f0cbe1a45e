// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestLoadTest {
    @TempDir
    Path threads;

    private void thread(String id, String name, long ranNs, long waitedNs) throws IOException {
        Path thread = Files.createDirectories(threads.resolve(id));
        Files.writeString(thread.resolve("comm"), name + "\n");
        Files.writeString(thread.resolve("schedstat"), ranNs + " " + waitedNs + " 17\n");
    }

    @Test
    void theBusiestVcpuCountsWithTheTimeItWaitedForAProcessor() throws IOException {
        thread("7", "vcpu-0", 1_000, 1_000);
        thread("8", "vcpu-1", 1_000, 1_000);
        thread("9", "streamer", 1_000, 1_000);
        GuestLoad load = new GuestLoad(threads, "vcpu-");
        LockSupport.parkNanos(1_000_000);
        assertThat(load.sinceLastCall()).isBetween(0.0, 0.01);

        long startNs = System.nanoTime();
        LockSupport.parkNanos(50_000_000);
        thread("8", "vcpu-1", 1_000 + 20_000_000, 1_000 + 10_000_000);
        thread("9", "streamer", 900_000_000_000L, 0);
        double share = load.sinceLastCall();
        // 30 ms of a time that was no shorter than 50 and no longer than what has passed here.
        assertThat(share).isBetween(30e6 / (System.nanoTime() - startNs + 60_000_000), 30e6 / 50e6);
        assertThat(load.sinceLastCall()).isZero();
    }

    @Test
    void withoutSuchThreadsOrSuchFilesThereIsNoLoad() {
        assertThat(new GuestLoad("vcpu-").sinceLastCall()).isZero();
        assertThat(new GuestLoad(threads.resolve("missing"), "vcpu-").sinceLastCall())
                .isZero();
    }

    @Test
    void aThreadOfThisProcessThatNeverRestsIsBusy() {
        Thread spin = new Thread(
                () -> {
                    while (!Thread.currentThread().isInterrupted()) {
                        Thread.onSpinWait();
                    }
                },
                "vcpu-test");
        spin.setDaemon(true);
        spin.start();
        try {
            GuestLoad load = new GuestLoad("vcpu-");
            LockSupport.parkNanos(300_000_000);
            assertThat(load.sinceLastCall()).isGreaterThan(0.5);
        } finally {
            spin.interrupt();
        }
    }
}
