// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import com.sun.jna.Native;

/**
 * The C library, bound by JNA direct mapping (no proxy, no reflection per call). Every method here is the bare call:
 * it returns what the C function returns and sets errno. Callers use {@link #check} so that errno is read once, in
 * one place, right after the call and on the same thread.
 *
 * <p>Addresses are plain {@code long}s; a variadic C function is declared with the arguments we pass (harmless with
 * the System V x86-64 calling convention as long as no floating-point argument is passed).
 */
public final class Libc {
    static {
        Native.register(Libc.class, "c");
    }

    private Libc() {}

    public static native int open(String path, int flags, int mode);

    public static native int close(int fd);

    public static native int ioctl(int fd, long request, long argument);

    public static native long mmap(long address, long lengthBytes, int protection, int flags, int fd, long offset);

    public static native int munmap(long address, long lengthBytes);

    public static native int madvise(long address, long lengthBytes, int advice);

    public static native int memfd_create(String name, int flags);

    public static native int ftruncate(int fd, long lengthBytes);

    public static native int eventfd(int initial, int flags);

    public static native long read(int fd, long buffer, long lengthBytes);

    public static native long write(int fd, long buffer, long lengthBytes);

    public static native long readv(int fd, long iovec, int count);

    public static native long writev(int fd, long iovec, int count);

    public static native long pread(int fd, long buffer, long lengthBytes, long offset);

    public static native long pwrite(int fd, long buffer, long lengthBytes, long offset);

    public static native long preadv(int fd, long iovec, int count, long offset);

    public static native long pwritev(int fd, long iovec, int count, long offset);

    public static native long lseek(int fd, long offset, int whence);

    public static native int fdatasync(int fd);

    public static native int syncfs(int fd);

    public static native int mount(String source, String target, String fileSystem, long flags, String data);

    public static native int umount2(String target, int flags);

    public static native int poll(long pollfds, long count, int timeoutMs);

    public static native int sigaction(int signal, long action, long previous);

    public static native int getpid();

    public static native int gettid();

    public static native int setpriority(int which, int who, int niceness);

    public static native int tgkill(int processId, int threadId, int signal);

    public static native long getrandom(long buffer, long lengthBytes, int flags);

    public static native int socket(int domain, int type, int protocol);

    public static native int socketpair(int domain, int type, int protocol, long fds);

    public static native int setsockopt(int fd, int level, int option, long value, int lengthBytes);

    public static native int bind(int fd, long address, int lengthBytes);

    public static native long send(int fd, long buffer, long lengthBytes, int flags);

    public static native long recv(int fd, long buffer, long lengthBytes, int flags);

    public static native String strerror(int errno);

    /**
     * Passes {@code result} through unless it is negative.
     *
     * @throws LinuxException with the errno of this thread's last call
     */
    public static int check(int result, String call, String argument) {
        return (int) check((long) result, call, argument);
    }

    /** As {@link #check(int, String, String)}, for calls that return {@code ssize_t} or an address. */
    public static long check(long result, String call, String argument) {
        if (result < 0) {
            throw new LinuxException(call, argument, Native.getLastError());
        }
        return result;
    }

    /** The errno of this thread's last call through this class, for callers that branch on it (EINTR, EAGAIN). */
    public static int errno() {
        return Native.getLastError();
    }
}
