// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.EventFd;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio device whose queues are served by one platform thread of its own, named like the device, from activation to
 * reset. The thread alternates between bounded batches of work and poll(2); nothing is ever in flight between two
 * batches, so pausing is parking the thread there.
 *
 * <p>Whatever goes wrong on the thread ends in DEVICE_NEEDS_RESET with a logged reason; nothing leaves it as an
 * exception.
 */
abstract class QueueDevice implements VirtioDevice {
    /** A disk that hangs longer than this cannot be part of a blackout anyway. */
    private static final long QUIET_LIMIT_NS = TimeUnit.SECONDS.toNanos(10);

    private static final Logger LOG = LoggerFactory.getLogger(QueueDevice.class);

    private final String name;
    private final EventFd control = new EventFd();
    private final Object lock = new Object();

    /** Set with the lock held, read by the device thread between two batches without it. */
    private volatile boolean attention;

    private boolean paused;
    private boolean stopping;
    private boolean parked;
    private boolean running;
    private boolean closed;

    QueueDevice(String name) {
        this.name = name;
    }

    @Override
    public final String name() {
        return name;
    }

    /** Before the thread starts: takes the queues over. Called once per activation. */
    abstract void start(Activation activation);

    /** A bounded batch on the device thread; returns true when there is more to do at once. */
    abstract boolean doWork();

    /**
     * Asks for notifications and says what to wait for, on the device thread, when {@link #doWork} had nothing left.
     *
     * @return milliseconds to wait at most, negative for no limit, 0 when work has arrived meanwhile
     */
    abstract int prepareToWait(PollSet polls);

    /** Looks at what ended the wait. */
    abstract void afterWait(PollSet polls);

    /** Adds the device's own descriptors; the queues' notifications are at 1 and up, in order. */
    abstract void addDescriptors(PollSet polls);

    /** On the device thread, before it parks: gives back what it holds between two batches. */
    void settle() {
        // most devices hold nothing
    }

    /** The thread has ended: forgets the queues and frees what {@link #start} took. */
    abstract void stop();

    @Override
    public final void activate(Activation activation) {
        synchronized (lock) {
            if (running || closed) {
                throw new HostileQueueException("the device is still busy with the time before its reset");
            }
            start(activation);
            running = true;
            stopping = false;
            parked = false;
            attention = true;
            Thread thread = new Thread(() -> run(activation), name);
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void run(Activation activation) {
        try (PollSet polls = new PollSet(activation.queues().size() + 4)) {
            polls.add(control.fd(), PollSet.READABLE);
            for (int i = 0; i < activation.queues().size(); i++) {
                polls.add(activation.notifications().get(i).fd(), PollSet.READABLE);
            }
            addDescriptors(polls);
            loop(activation, polls);
        } catch (HostileQueueException e) {
            activation.signals().needsReset(e.getMessage());
        } catch (Throwable e) { // the device fails, the monitor does not
            LOG.error("{}: failed", name, e);
            activation.signals().needsReset(e.toString());
        } finally {
            synchronized (lock) {
                running = false;
                lock.notifyAll();
            }
        }
    }

    private void loop(Activation activation, PollSet polls) {
        while (true) {
            if (attention && !park()) {
                return;
            }
            if (doWork()) {
                continue;
            }
            int timeoutMs = prepareToWait(polls);
            if (timeoutMs == 0) {
                continue;
            }
            polls.await(timeoutMs);
            if (polls.ready(0)) {
                control.drain();
            }
            for (int i = 0; i < activation.queues().size(); i++) {
                if (polls.ready(1 + i)) {
                    activation.notifications().get(i).drain();
                }
            }
            afterWait(polls);
        }
    }

    /** Stays here while paused; returns false when the thread has to end. */
    private boolean park() {
        synchronized (lock) {
            boolean interrupted = false;
            while (paused && !stopping) {
                if (!parked) {
                    settle();
                    parked = true;
                    lock.notifyAll();
                }
                try {
                    lock.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            parked = false;
            attention = stopping;
            return !stopping;
        }
    }

    @Override
    public void pause() {
        synchronized (lock) {
            paused = true;
            attention = true;
            control.signal();
            if (!awaitQuiet()) {
                paused = false;
                lock.notifyAll();
                throw new DeviceException(
                        name + " has I/O in flight that does not end; it goes on. Look for a hung disk or tap");
            }
        }
    }

    @Override
    public final void resume() {
        synchronized (lock) {
            paused = false;
            lock.notifyAll();
        }
    }

    final boolean isPaused() {
        synchronized (lock) {
            return paused;
        }
    }

    @Override
    public final void reset() {
        synchronized (lock) {
            stopping = true;
            attention = true;
            control.signal();
            lock.notifyAll();
            if (!awaitEnd()) {
                throw new DeviceException(name + " has I/O in flight that does not end, it cannot be reset");
            }
            stop();
        }
    }

    private boolean awaitQuiet() {
        return await(true);
    }

    private boolean awaitEnd() {
        return await(false);
    }

    private boolean await(boolean parkedIsEnough) {
        long deadlineNs = System.nanoTime() + QUIET_LIMIT_NS;
        boolean interrupted = false;
        try {
            while (running && !(parkedIsEnough && parked)) {
                long leftNs = deadlineNs - System.nanoTime();
                if (leftNs <= 0) {
                    return false;
                }
                try {
                    TimeUnit.NANOSECONDS.timedWait(lock, leftNs);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            return true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Called once, after the thread has ended. */
    abstract void closeDescriptors();

    @Override
    public final void close() {
        synchronized (lock) {
            if (closed) {
                return;
            }
            reset();
            closed = true;
        }
        control.close();
        closeDescriptors();
    }
}
