// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;

/**
 * The file descriptor of one vCPU and the {@code struct kvm_run} shared with the kernel. Used by one thread at a time;
 * KVM wants {@link #run} always called by the same one. Struct state goes in and out as the kernel's bytes.
 */
public final class KvmVcpu implements AutoCloseable {
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAX_MSRS_PER_CALL = 256;
    private static final int MAX_CPUID_ENTRIES = 256;
    private static final int TSC_CONTROL_GROUP = 0;
    private static final int TSC_OFFSET = 0;

    private final int fd;
    private final int id;
    private final int runBytes;
    private final int xsaveBytes;
    private final long run;
    private final long scratch;
    private boolean closed;

    KvmVcpu(int fd, int id, int runBytes, int xsaveBytes) {
        this.fd = fd;
        this.id = id;
        this.runBytes = runBytes;
        this.xsaveBytes = xsaveBytes;
        long mapped = -1;
        try {
            mapped = Libc.check(
                    Libc.mmap(0, runBytes, PROT_READ_WRITE, MAP_SHARED, fd, 0), "mmap", "kvm_run of vCPU " + id);
        } finally {
            if (mapped == -1) {
                Libc.close(fd);
            }
        }
        run = mapped;
        scratch = NativeMemory.allocate(
                Math.max(xsaveBytes, KvmStruct.CPUID_HEADER + KvmStruct.CPUID_ENTRY * MAX_CPUID_ENTRIES));
    }

    public int id() {
        return id;
    }

    /** The address of {@code struct kvm_run}, see {@link KvmRun}; valid until {@link #close}. */
    public long runAddress() {
        return run;
    }

    /** Enters the guest. Returns 0 with an exit reason in kvm_run, or -1 with the errno of this thread's last call. */
    public int run() {
        return Libc.ioctl(fd, KvmRequest.KVM_RUN, 0);
    }

    /** Makes the next or present {@link #run} return EINTR as soon as it looks; any thread. */
    public void setImmediateExit(boolean on) {
        NativeMemory.putByte(run + KvmRun.IMMEDIATE_EXIT, (byte) (on ? 1 : 0));
    }

    public byte[] regs() {
        return get(KvmRequest.KVM_GET_REGS, KvmStruct.REGS, "KVM_GET_REGS");
    }

    public void setRegs(byte[] state) {
        set(KvmRequest.KVM_SET_REGS, state, KvmStruct.REGS, "KVM_SET_REGS");
    }

    public byte[] sregs() {
        return get(KvmRequest.KVM_GET_SREGS, KvmStruct.SREGS, "KVM_GET_SREGS");
    }

    public void setSregs(byte[] state) {
        set(KvmRequest.KVM_SET_SREGS, state, KvmStruct.SREGS, "KVM_SET_SREGS");
    }

    /** In the host's layout; longer than 4096 bytes where the guest has large components. */
    public byte[] xsave() {
        return xsaveBytes > KvmStruct.XSAVE
                ? get(KvmRequest.KVM_GET_XSAVE2, xsaveBytes, "KVM_GET_XSAVE2")
                : get(KvmRequest.KVM_GET_XSAVE, xsaveBytes, "KVM_GET_XSAVE");
    }

    /** What {@link #xsave} returns here, and the most {@link #setXsave} takes. */
    public int xsaveBytes() {
        return xsaveBytes;
    }

    public void setXsave(byte[] state) {
        if (state.length < KvmStruct.XSAVE || state.length > xsaveBytes) {
            throw new IllegalArgumentException(
                    "KVM_SET_XSAVE takes 4096 to " + xsaveBytes + " bytes here, not " + state.length);
        }
        NativeMemory.fill(scratch, xsaveBytes, (byte) 0);
        NativeMemory.copy(state, 0, scratch, state.length);
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_XSAVE, scratch), "KVM_SET_XSAVE");
    }

    public byte[] xcrs() {
        return get(KvmRequest.KVM_GET_XCRS, KvmStruct.XCRS, "KVM_GET_XCRS");
    }

    public void setXcrs(byte[] state) {
        set(KvmRequest.KVM_SET_XCRS, state, KvmStruct.XCRS, "KVM_SET_XCRS");
    }

    public byte[] fpu() {
        return get(KvmRequest.KVM_GET_FPU, KvmStruct.FPU, "KVM_GET_FPU");
    }

    public void setFpu(byte[] state) {
        set(KvmRequest.KVM_SET_FPU, state, KvmStruct.FPU, "KVM_SET_FPU");
    }

    public byte[] debugregs() {
        return get(KvmRequest.KVM_GET_DEBUGREGS, KvmStruct.DEBUGREGS, "KVM_GET_DEBUGREGS");
    }

    public void setDebugregs(byte[] state) {
        set(KvmRequest.KVM_SET_DEBUGREGS, state, KvmStruct.DEBUGREGS, "KVM_SET_DEBUGREGS");
    }

    public byte[] lapic() {
        return get(KvmRequest.KVM_GET_LAPIC, KvmStruct.LAPIC, "KVM_GET_LAPIC");
    }

    public void setLapic(byte[] state) {
        set(KvmRequest.KVM_SET_LAPIC, state, KvmStruct.LAPIC, "KVM_SET_LAPIC");
    }

    /** KVM_MP_STATE_*: 0 runnable, 1 uninitialized, 2 INIT received, 3 halted, 4 SIPI received. */
    public int mpState() {
        NativeMemory.putInt(scratch, 0);
        check(Libc.ioctl(fd, KvmRequest.KVM_GET_MP_STATE, scratch), "KVM_GET_MP_STATE");
        return NativeMemory.getInt(scratch);
    }

    public void setMpState(int state) {
        NativeMemory.putInt(scratch, state);
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_MP_STATE, scratch), "KVM_SET_MP_STATE");
    }

    public byte[] vcpuEvents() {
        return get(KvmRequest.KVM_GET_VCPU_EVENTS, KvmStruct.VCPU_EVENTS, "KVM_GET_VCPU_EVENTS");
    }

    public void setVcpuEvents(byte[] state) {
        set(KvmRequest.KVM_SET_VCPU_EVENTS, state, KvmStruct.VCPU_EVENTS, "KVM_SET_VCPU_EVENTS");
    }

    /** The guest's CPUID as KVM holds it now, whole entries of 40 bytes; trailing empty entries are dropped. */
    public byte[] cpuid() {
        NativeMemory.putInt(scratch, MAX_CPUID_ENTRIES);
        check(Libc.ioctl(fd, KvmRequest.KVM_GET_CPUID2, scratch), "KVM_GET_CPUID2");
        int count = NativeMemory.getInt(scratch);
        while (count > 0 && isEmpty(scratch + KvmStruct.CPUID_HEADER + (count - 1L) * KvmStruct.CPUID_ENTRY)) {
            count--;
        }
        byte[] entries = new byte[count * KvmStruct.CPUID_ENTRY];
        NativeMemory.copy(scratch + KvmStruct.CPUID_HEADER, entries, 0, entries.length);
        return entries;
    }

    private static boolean isEmpty(long entry) {
        for (int i = 0; i < KvmStruct.CPUID_ENTRY; i += Long.BYTES) {
            if (NativeMemory.getLong(entry + i) != 0) {
                return false;
            }
        }
        return true;
    }

    public void setCpuid(byte[] entries) {
        int count = entries.length / KvmStruct.CPUID_ENTRY;
        if (count > MAX_CPUID_ENTRIES || entries.length % KvmStruct.CPUID_ENTRY != 0) {
            throw new IllegalArgumentException(
                    "KVM_SET_CPUID2 takes up to 256 entries of 40 bytes, not " + entries.length + " bytes");
        }
        NativeMemory.putInt(scratch, count);
        NativeMemory.putInt(scratch + 4, 0);
        NativeMemory.copy(entries, 0, scratch + KvmStruct.CPUID_HEADER, entries.length);
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_CPUID2, scratch), "KVM_SET_CPUID2");
    }

    /**
     * Reads MSRs into {@code values}, starting at {@code from}.
     *
     * @return how many were read; fewer than asked when KVM refused the one after them
     */
    public int getMsrs(int[] indices, long[] values, int from) {
        int count = fillMsrs(indices, values, from);
        int done = Libc.ioctl(fd, KvmRequest.KVM_GET_MSRS, scratch);
        check(done, "KVM_GET_MSRS");
        for (int i = 0; i < done; i++) {
            values[from + i] =
                    NativeMemory.getLong(scratch + KvmStruct.MSRS_HEADER + (long) KvmStruct.MSR_ENTRY * i + 8);
        }
        return Math.min(done, count);
    }

    /** Writes MSRs, starting at {@code from}; returns how many were written, as {@link #getMsrs}. */
    public int setMsrs(int[] indices, long[] values, int from) {
        fillMsrs(indices, values, from);
        int done = Libc.ioctl(fd, KvmRequest.KVM_SET_MSRS, scratch);
        check(done, "KVM_SET_MSRS");
        return done;
    }

    private int fillMsrs(int[] indices, long[] values, int from) {
        int count = Math.min(indices.length - from, MAX_MSRS_PER_CALL);
        NativeMemory.putInt(scratch, count);
        NativeMemory.putInt(scratch + 4, 0);
        for (int i = 0; i < count; i++) {
            long entry = scratch + KvmStruct.MSRS_HEADER + (long) KvmStruct.MSR_ENTRY * i;
            NativeMemory.putInt(entry, indices[from + i]);
            NativeMemory.putInt(entry + 4, 0);
            NativeMemory.putLong(entry + 8, values[from + i]);
        }
        return count;
    }

    /** The frequency of the guest's time stamp counter; 0 when KVM does not know it. */
    public int tscKhz() {
        int khz = Libc.ioctl(fd, KvmRequest.KVM_GET_TSC_KHZ, 0);
        return Math.max(khz, 0);
    }

    public void setTscKhz(int khz) {
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_TSC_KHZ, khz), "KVM_SET_TSC_KHZ");
    }

    public boolean hasTscOffset() {
        fillAttribute(0);
        return Libc.ioctl(fd, KvmRequest.KVM_HAS_DEVICE_ATTR, scratch) == 0;
    }

    /** What KVM adds to the (scaled) host counter to get the guest's; see vcpu.rst, KVM_VCPU_TSC_CTRL. */
    public long tscOffset() {
        long value = scratch + KvmStruct.DEVICE_ATTR;
        fillAttribute(value);
        check(Libc.ioctl(fd, KvmRequest.KVM_GET_DEVICE_ATTR, scratch), "KVM_VCPU_TSC_OFFSET");
        return NativeMemory.getLong(value);
    }

    public void setTscOffset(long offset) {
        long value = scratch + KvmStruct.DEVICE_ATTR;
        fillAttribute(value);
        NativeMemory.putLong(value, offset);
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_DEVICE_ATTR, scratch), "KVM_VCPU_TSC_OFFSET");
    }

    private void fillAttribute(long value) {
        NativeMemory.putInt(scratch, 0);
        NativeMemory.putInt(scratch + 4, TSC_CONTROL_GROUP);
        NativeMemory.putLong(scratch + 8, TSC_OFFSET);
        NativeMemory.putLong(scratch + 16, value);
    }

    /**
     * Tells the guest that it was stopped, so that its watchdogs do not report a lock-up.
     *
     * @return false when this guest has not switched kvmclock on (EINVAL)
     */
    public boolean tellGuestItWasStopped() {
        return Libc.ioctl(fd, KvmRequest.KVM_KVMCLOCK_CTRL, 0) == 0;
    }

    private byte[] get(long request, int lengthBytes, String call) {
        NativeMemory.fill(scratch, lengthBytes, (byte) 0);
        check(Libc.ioctl(fd, request, scratch), call);
        byte[] state = new byte[lengthBytes];
        NativeMemory.copy(scratch, state, 0, lengthBytes);
        return state;
    }

    private void set(long request, byte[] state, int lengthBytes, String call) {
        if (state.length != lengthBytes) {
            throw new IllegalArgumentException(call + " takes " + lengthBytes + " bytes, not " + state.length);
        }
        NativeMemory.copy(state, 0, scratch, lengthBytes);
        check(Libc.ioctl(fd, request, scratch), call);
    }

    private void check(int result, String call) {
        if (result < 0) {
            throw new LinuxException(call, "vCPU " + id, Libc.errno());
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.munmap(run, runBytes);
            Libc.close(fd);
            NativeMemory.free(scratch);
        }
    }
}
