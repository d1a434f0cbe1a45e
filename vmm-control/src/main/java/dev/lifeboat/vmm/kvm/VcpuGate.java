// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.vmm.VmmException;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Lets all vCPU threads of a VM run, stops them outside guest mode, or ends them. The threads look at {@link #wanted}
 * before each entry; nothing here is touched on the exit path besides that one volatile read.
 *
 * <p>Memory order: whoever stops writes {@code wanted}, then immediate_exit, then signals. A vCPU thread that goes on
 * clears immediate_exit, then (full fence) reads {@code wanted}. So either it sees the wish, or its next KVM_RUN sees
 * immediate_exit, or the signal finds it inside.
 */
final class VcpuGate {
    enum Wanted {
        RUN,
        PARK,
        END
    }

    /** A vCPU needs microseconds to come out; on an emulated, overloaded host milliseconds. */
    private static final long LIMIT_NS = TimeUnit.SECONDS.toNanos(20);

    /** A signal that arrived just before a blocking call of a device on that thread is lost: signal again. */
    private static final long KICK_AGAIN_NS = TimeUnit.MILLISECONDS.toNanos(5);

    private volatile Wanted wanted = Wanted.PARK;
    private int out;
    private int ended;

    Wanted wanted() {
        return wanted;
    }

    synchronized void run() {
        if (wanted == Wanted.PARK) {
            wanted = Wanted.RUN;
            notifyAll();
        }
    }

    /** From now on no vCPU thread enters the guest again; does not wait. Any thread, vCPU threads too. */
    void end(List<VcpuThread> threads) {
        synchronized (this) {
            wanted = Wanted.END;
            notifyAll();
        }
        threads.forEach(VcpuThread::kick);
    }

    /**
     * Returns when every vCPU thread is out of the guest, with its last instruction complete.
     *
     * @throws VmmException when one does not come; the others go on
     */
    void park(List<VcpuThread> threads) {
        synchronized (this) {
            if (wanted == Wanted.RUN) {
                wanted = Wanted.PARK;
            }
            threads.forEach(VcpuThread::kick);
            if (!await(threads, false)) {
                run();
                throw new VmmException("a vCPU did not stop within 20 s, the VM goes on; is the host overloaded?");
            }
        }
    }

    /** Returns whether all vCPU threads have ended in time. */
    synchronized boolean awaitEnd(List<VcpuThread> threads) {
        return await(threads, true);
    }

    private boolean await(List<VcpuThread> threads, boolean ends) {
        long deadlineNs = System.nanoTime() + LIMIT_NS;
        boolean interrupted = false;
        try {
            while ((ends ? ended : out + ended) < threads.size()) {
                if (System.nanoTime() - deadlineNs > 0) {
                    return false;
                }
                try {
                    TimeUnit.NANOSECONDS.timedWait(this, KICK_AGAIN_NS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
                if ((ends ? ended : out + ended) < threads.size()) {
                    threads.forEach(VcpuThread::kick);
                }
            }
            return true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Called by a vCPU thread that is out of the guest; returns when it is to run or to end. */
    synchronized void stayOut() {
        out++;
        notifyAll();
        boolean interrupted = false;
        while (wanted == Wanted.PARK) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        out--;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Called by a vCPU thread as its last act. */
    synchronized void hasEnded() {
        ended++;
        notifyAll();
    }
}
