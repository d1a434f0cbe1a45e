// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

/** A Linux system call that failed: which call, on what, and the errno. The only exception of this module. */
public final class LinuxException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int errno;

    public LinuxException(String call, String argument, int errno) {
        super(call + "(" + argument + "): " + Errno.describe(errno));
        this.call = call;
        this.errno = errno;
    }

    /** The system call or ioctl, for example {@code "KVM_CREATE_VM"}. */
    public String call() {
        return call;
    }

    /** The errno, see errno(3). */
    public int errno() {
        return errno;
    }
}
