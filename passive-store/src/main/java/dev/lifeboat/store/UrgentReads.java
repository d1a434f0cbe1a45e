// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Lets reads that somebody waits for go before those of a fill, range by range. Thread-safe. */
final class UrgentReads {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition none = lock.newCondition();
    private int running;

    void enter() {
        lock.lock();
        try {
            running++;
        } finally {
            lock.unlock();
        }
    }

    void leave() {
        lock.lock();
        try {
            if (--running == 0) {
                none.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Waits until none runs. */
    void pass(long limitMs) {
        lock.lock();
        try {
            long leftNs = TimeUnit.MILLISECONDS.toNanos(limitMs);
            while (running > 0) {
                if (leftNs <= 0) {
                    throw new StoreException("urgent reads have held back the restore for " + limitMs + " ms");
                }
                leftNs = none.awaitNanos(leftNs);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("the restore was stopped", e);
        } finally {
            lock.unlock();
        }
    }
}
