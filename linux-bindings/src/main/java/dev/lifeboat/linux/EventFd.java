// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

/**
 * A counter that a thread can sleep on and KVM can signal, eventfd(2); never blocks except in {@link #await}. Any
 * thread may signal; one thread drains or awaits. Whoever closes it does so after the last signaller has ended, since
 * the kernel hands the number of a closed descriptor to the next one that opens something.
 */
public final class EventFd implements AutoCloseable {
    private static final int EFD_CLOEXEC = 0x80000;
    private static final int EFD_NONBLOCK = 0x800;
    private static final short POLLIN = 1;
    private static final int POLLFD_BYTES = 8;

    /** What every signal adds; shared, never written again. */
    private static final long ONE = NativeMemory.allocate(Long.BYTES);
    /** Where the counters that nobody looks at go. */
    private static final long DISCARD = NativeMemory.allocate(Long.BYTES);

    static {
        NativeMemory.putLong(ONE, 1);
    }

    private final long pollfd;
    private volatile int fd;

    public EventFd() {
        fd = Libc.check(Libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd", "0");
        pollfd = NativeMemory.allocate(POLLFD_BYTES);
        NativeMemory.putInt(pollfd, fd);
        NativeMemory.putShort(pollfd + 4, POLLIN);
    }

    /** The descriptor, for KVM_IRQFD, KVM_IOEVENTFD and poll(2); -1 once closed. */
    public int fd() {
        return fd;
    }

    /** Adds one. A counter at its limit is as good as signalled, so EAGAIN is no error. */
    public void signal() {
        if (Libc.write(fd, ONE, Long.BYTES) < 0) {
            int errno = Libc.errno();
            if (errno != Errno.EAGAIN) {
                throw new LinuxException("write", "eventfd " + fd, errno);
            }
        }
    }

    /** Sets the counter to zero; whether it had been signalled. */
    public boolean drain() {
        while (Libc.read(fd, DISCARD, Long.BYTES) < 0) {
            int errno = Libc.errno();
            if (errno == Errno.EAGAIN) {
                return false;
            }
            if (errno != Errno.EINTR) {
                throw new LinuxException("read", "eventfd " + fd, errno);
            }
        }
        return true;
    }

    /**
     * Waits until it is signalled, then drains it.
     *
     * @param timeoutMs 0 looks without waiting; a signal handler that runs on this thread ends the wait early
     * @return whether it had been signalled
     */
    public boolean await(int timeoutMs) {
        if (Libc.poll(pollfd, 1, timeoutMs) < 0) {
            int errno = Libc.errno();
            if (errno != Errno.EINTR) {
                throw new LinuxException("poll", "eventfd " + fd, errno);
            }
        }
        return drain();
    }

    @Override
    public synchronized void close() {
        if (fd >= 0) {
            Libc.close(fd);
            fd = -1;
            NativeMemory.free(pollfd);
        }
    }
}
