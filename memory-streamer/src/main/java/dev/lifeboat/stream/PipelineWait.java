// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import com.lmax.disruptor.AlertException;
import com.lmax.disruptor.Sequence;
import com.lmax.disruptor.SequenceBarrier;
import com.lmax.disruptor.WaitStrategy;
import java.util.concurrent.locks.LockSupport;

/**
 * How the pipeline's threads wait: encoders sleep until something is published. The sink, too, and then for the encoders,
 * who need microseconds to milliseconds for a run, in short naps; Disruptor's blocking strategy spins there and takes
 * a processor from the guest.
 */
final class PipelineWait implements WaitStrategy {
    private static final int SPINS = 100;
    /** Becomes some 70 us with the kernel's timer slack; a run at 1 GB/s takes as long. */
    private static final long NAP_NS = 10_000;

    private final Object published = new Object();

    @Override
    public long waitFor(long sequence, Sequence cursor, Sequence dependentSequence, SequenceBarrier barrier)
            throws AlertException, InterruptedException {
        if (cursor.get() < sequence) {
            synchronized (published) {
                while (cursor.get() < sequence) {
                    barrier.checkAlert();
                    published.wait();
                }
            }
        }
        long available = dependentSequence.get();
        for (int spins = 0; available < sequence; available = dependentSequence.get()) {
            barrier.checkAlert();
            if (spins < SPINS) {
                spins++;
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(NAP_NS);
            }
        }
        return available;
    }

    @Override
    public void signalAllWhenBlocking() {
        synchronized (published) {
            published.notifyAll();
        }
    }
}
