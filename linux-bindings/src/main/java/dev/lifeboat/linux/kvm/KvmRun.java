// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

/**
 * Offsets into the {@code struct kvm_run} that a vCPU shares with us, and the exit reasons that can occur with an
 * in-kernel interrupt controller. The vCPU's own thread reads it with {@link dev.lifeboat.linux.NativeMemory}; only
 * {@link #IMMEDIATE_EXIT} is written by other threads.
 */
public final class KvmRun {
    public static final int IMMEDIATE_EXIT = 1;
    public static final int EXIT_REASON = 8;

    public static final int IO_DIRECTION = 32;
    public static final int IO_SIZE = 33;
    public static final int IO_PORT = 34;
    public static final int IO_COUNT = 36;
    public static final int IO_DATA_OFFSET = 40;

    public static final int MMIO_ADDRESS = 32;
    public static final int MMIO_DATA = 40;
    public static final int MMIO_LENGTH = 48;
    public static final int MMIO_IS_WRITE = 52;

    /** Of KVM_EXIT_FAIL_ENTRY. */
    public static final int HARDWARE_ENTRY_FAILURE_REASON = 32;

    /** Of KVM_EXIT_INTERNAL_ERROR. */
    public static final int INTERNAL_SUBERROR = 32;

    /** Of KVM_EXIT_SYSTEM_EVENT. */
    public static final int SYSTEM_EVENT_TYPE = 32;

    public static final int EXIT_UNKNOWN = 0;
    public static final int EXIT_IO = 2;
    public static final int EXIT_HLT = 5;
    public static final int EXIT_MMIO = 6;
    public static final int EXIT_SHUTDOWN = 8;
    public static final int EXIT_FAIL_ENTRY = 9;
    public static final int EXIT_INTR = 10;
    public static final int EXIT_INTERNAL_ERROR = 17;
    public static final int EXIT_SYSTEM_EVENT = 24;
    public static final int EXIT_MEMORY_FAULT = 39;

    public static final int IO_IN = 0;
    public static final int IO_OUT = 1;

    public static final int SYSTEM_EVENT_SHUTDOWN = 1;
    public static final int SYSTEM_EVENT_RESET = 2;
    public static final int SYSTEM_EVENT_CRASH = 3;

    private KvmRun() {}
}
