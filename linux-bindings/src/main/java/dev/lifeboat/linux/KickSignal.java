// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;

/**
 * A signal that does nothing but end a blocking system call of one thread with EINTR: how a vCPU is called out of
 * KVM_RUN. The handler is a harmless C function of the C library ({@code abs}), never Java: a callback would enter
 * the JVM from a signal. Real-time signal 40 is one that neither glibc (32, 33) nor HotSpot (SIGUSR2, SIGQUIT and the
 * synchronous ones) uses.
 */
public final class KickSignal {
    private static final int SIGNAL = 40;
    /** {@code struct sigaction} of glibc on x86-64: handler 8, mask 128, flags 4 (+4), restorer 8. */
    private static final int SIGACTION_BYTES = 152;

    static {
        long action = NativeMemory.allocate(SIGACTION_BYTES);
        Pointer handler = NativeLibrary.getInstance("c").getFunction("abs");
        // No SA_RESTART among the flags, else the interrupted call would just go on.
        NativeMemory.putLong(action, Pointer.nativeValue(handler));
        Libc.check(Libc.sigaction(SIGNAL, action, 0), "sigaction", "signal " + SIGNAL);
        NativeMemory.free(action);
    }

    private KickSignal() {}

    /** Puts the handler in place (once per process); call before the first thread that may be kicked starts. */
    public static void install() {
        // The static initialiser has done it.
    }

    /** @param threadId of {@link Libc#gettid} in this process; a thread that has ended is no error */
    public static void send(int threadId) {
        Libc.tgkill(Libc.getpid(), threadId, SIGNAL);
    }
}
