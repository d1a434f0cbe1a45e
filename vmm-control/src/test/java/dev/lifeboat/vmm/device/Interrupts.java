// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** An interrupt line that counts, and that a test can wait on. */
final class Interrupts implements InterruptLine {
    private static final long LIMIT_NS = TimeUnit.SECONDS.toNanos(10);

    private final Semaphore edges = new Semaphore(0);

    @Override
    public void raise() {
        edges.release();
    }

    /** Edges since the last call. */
    int take() {
        return edges.drainPermits();
    }

    /** Waits for edges until {@code condition} holds, as a guest would; a missing edge fails the test. */
    void awaitUntil(String what, BooleanSupplier condition) {
        long deadlineNs = System.nanoTime() + LIMIT_NS;
        while (!condition.getAsBoolean()) {
            try {
                if (!edges.tryAcquire(deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                    throw new AssertionError("no interrupt in time: " + what
                            + (condition.getAsBoolean() ? " (it happened, without an interrupt)" : ""));
                }
            } catch (InterruptedException e) {
                throw new AssertionError(what, e);
            }
        }
    }
}
