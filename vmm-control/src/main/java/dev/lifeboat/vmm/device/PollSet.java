// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;

/** The descriptors one device thread sleeps on, an array of {@code struct pollfd} made once. */
final class PollSet implements AutoCloseable {
    static final int READABLE = 0x001;
    static final int WRITABLE = 0x004;

    private static final int POLLFD_BYTES = 8;

    private final long array;
    private final int capacity;
    private int count;

    PollSet(int capacity) {
        this.capacity = capacity;
        array = NativeMemory.allocate((long) capacity * POLLFD_BYTES);
    }

    /** Adds a descriptor to wait for; returns its index. */
    int add(int fd, int events) {
        if (count == capacity) {
            throw new IllegalStateException("more than " + capacity + " descriptors");
        }
        NativeMemory.putInt(entry(count), fd);
        want(count, events);
        return count++;
    }

    /** Changes what descriptor {@code index} is waited for; 0 leaves only errors and hang-ups. */
    void want(int index, int events) {
        NativeMemory.putShort(entry(index) + 4, (short) events);
    }

    /** Changes which descriptor is meant; a negative one is skipped altogether. */
    void setFd(int index, int fd) {
        NativeMemory.putInt(entry(index), fd);
    }

    /** Whether descriptor {@code index} was ready, or in error, when {@link #await} returned. */
    boolean ready(int index) {
        return NativeMemory.getShort(entry(index) + 6) != 0;
    }

    /** Waits until one is ready or the time is over; negative waits without a limit, which the control eventfd ends. */
    void await(int timeoutMs) {
        if (Libc.poll(array, count, timeoutMs) < 0) {
            int errno = Libc.errno();
            if (errno != Errno.EINTR) {
                throw new LinuxException("poll", count + " descriptors", errno);
            }
            for (int i = 0; i < count; i++) {
                NativeMemory.putShort(entry(i) + 6, (short) 0);
            }
        }
    }

    private long entry(int index) {
        return array + (long) index * POLLFD_BYTES;
    }

    @Override
    public void close() {
        NativeMemory.free(array);
    }
}
