// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;

/**
 * The file descriptor of one VM. Calls that pass a struct share one scratch buffer and are synchronized; the dirty log
 * calls take the caller's own memory and are not. The VM dies in the kernel when this and every {@link KvmVcpu} of it
 * are closed.
 */
public final class KvmVm implements AutoCloseable {
    /** Slot flag KVM_MEM_LOG_DIRTY_PAGES. */
    public static final int LOG_DIRTY_PAGES = 1;

    /** Flags of {@code struct kvm_clock_data}. */
    public static final int CLOCK_TSC_STABLE = 2;

    public static final int CLOCK_REALTIME = 4;
    public static final int CLOCK_HOST_TSC = 8;

    private static final int PIT_SPEAKER_DUMMY = 1;
    private static final int IOEVENTFD_DATAMATCH = 1;
    private static final int ROUTING_IRQCHIP = 1;
    private static final int IRQCHIP_IOAPIC = 2;
    private static final int SCRATCH_BYTES = 2048;

    private final int fd;
    private final int vcpuMmapBytes;
    private final int xsaveBytes;
    private final long scratch = NativeMemory.allocate(SCRATCH_BYTES);
    private boolean closed;

    KvmVm(int fd, int vcpuMmapBytes, int xsave2) {
        this.fd = fd;
        this.vcpuMmapBytes = vcpuMmapBytes;
        // KVM_CAP_XSAVE2 says 0 where only the fixed 4096 bytes of KVM_GET_XSAVE exist.
        this.xsaveBytes = Math.max(xsave2, KvmStruct.XSAVE);
    }

    /** @param address three pages in guest physical memory that are not RAM; Intel without unrestricted guest needs them */
    public void setTssAddress(long address) {
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_TSS_ADDR, address), "KVM_SET_TSS_ADDR", Long.toHexString(address));
    }

    public void createIrqchip() {
        check(Libc.ioctl(fd, KvmRequest.KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP", "");
    }

    /** The timer at ports 0x40-0x43, and port 0x61 answered in the kernel, so that its polling does not exit. */
    public synchronized void createPit2() {
        clear(KvmStruct.PIT_CONFIG);
        NativeMemory.putInt(scratch, PIT_SPEAKER_DUMMY);
        check(Libc.ioctl(fd, KvmRequest.KVM_CREATE_PIT2, scratch), "KVM_CREATE_PIT2", "");
    }

    public synchronized void enableCapability(int capability, long argument) {
        clear(KvmStruct.ENABLE_CAP);
        NativeMemory.putInt(scratch, capability);
        NativeMemory.putLong(scratch + 8, argument);
        check(Libc.ioctl(fd, KvmRequest.KVM_ENABLE_CAP, scratch), "KVM_ENABLE_CAP", capability + ", " + argument);
    }

    public synchronized void setUserMemoryRegion(
            int slot, int flags, long guestAddress, long lengthBytes, long hostAddress) {
        NativeMemory.putInt(scratch, slot);
        NativeMemory.putInt(scratch + 4, flags);
        NativeMemory.putLong(scratch + 8, guestAddress);
        NativeMemory.putLong(scratch + 16, lengthBytes);
        NativeMemory.putLong(scratch + 24, hostAddress);
        check(
                Libc.ioctl(fd, KvmRequest.KVM_SET_USER_MEMORY_REGION, scratch),
                "KVM_SET_USER_MEMORY_REGION",
                "slot " + slot + " at 0x" + Long.toHexString(guestAddress) + ", " + lengthBytes + " bytes, flags "
                        + flags);
    }

    public KvmVcpu createVcpu(int id) {
        int vcpu = check(Libc.ioctl(fd, KvmRequest.KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU", Integer.toString(id));
        return new KvmVcpu(vcpu, id, vcpuMmapBytes, xsaveBytes);
    }

    /** Routes interrupt lines 0 to {@code lines - 1} to the IOAPIC pins of the same number and nowhere else. */
    public void routeToIoapic(int lines) {
        long table = NativeMemory.allocate(KvmStruct.IRQ_ROUTING_HEADER + (long) KvmStruct.IRQ_ROUTING_ENTRY * lines);
        try {
            NativeMemory.putInt(table, lines);
            for (int line = 0; line < lines; line++) {
                long entry = table + KvmStruct.IRQ_ROUTING_HEADER + (long) KvmStruct.IRQ_ROUTING_ENTRY * line;
                NativeMemory.putInt(entry, line);
                NativeMemory.putInt(entry + 4, ROUTING_IRQCHIP);
                NativeMemory.putInt(entry + 16, IRQCHIP_IOAPIC);
                NativeMemory.putInt(entry + 20, line);
            }
            check(Libc.ioctl(fd, KvmRequest.KVM_SET_GSI_ROUTING, table), "KVM_SET_GSI_ROUTING", lines + " lines");
        } finally {
            NativeMemory.free(table);
        }
    }

    /** From now on a signal of {@code eventFd} raises interrupt line {@code gsi} as an edge. */
    public synchronized void irqfd(int eventFd, int gsi) {
        clear(KvmStruct.IRQFD);
        NativeMemory.putInt(scratch, eventFd);
        NativeMemory.putInt(scratch + 4, gsi);
        check(Libc.ioctl(fd, KvmRequest.KVM_IRQFD, scratch), "KVM_IRQFD", "line " + gsi);
    }

    /** From now on a 32-bit guest write of {@code value} to {@code guestAddress} signals {@code eventFd}, without an exit. */
    public synchronized void ioeventfd(int eventFd, long guestAddress, int value) {
        clear(KvmStruct.IOEVENTFD);
        NativeMemory.putLong(scratch, value);
        NativeMemory.putLong(scratch + 8, guestAddress);
        NativeMemory.putInt(scratch + 16, 4);
        NativeMemory.putInt(scratch + 20, eventFd);
        NativeMemory.putInt(scratch + 24, IOEVENTFD_DATAMATCH);
        check(
                Libc.ioctl(fd, KvmRequest.KVM_IOEVENTFD, scratch),
                "KVM_IOEVENTFD",
                "0x" + Long.toHexString(guestAddress) + " = " + value);
    }

    /** {@code struct kvm_irqchip} of chip 0 (master PIC), 1 (slave PIC) or 2 (IOAPIC). */
    public synchronized byte[] irqchip(int chip) {
        clear(KvmStruct.IRQCHIP);
        NativeMemory.putInt(scratch, chip);
        return get(KvmRequest.KVM_GET_IRQCHIP, KvmStruct.IRQCHIP, "KVM_GET_IRQCHIP");
    }

    public synchronized void setIrqchip(byte[] state) {
        set(KvmRequest.KVM_SET_IRQCHIP, state, KvmStruct.IRQCHIP, "KVM_SET_IRQCHIP");
    }

    /** {@code struct kvm_pit_state2}. */
    public synchronized byte[] pit2() {
        clear(KvmStruct.PIT_STATE2);
        return get(KvmRequest.KVM_GET_PIT2, KvmStruct.PIT_STATE2, "KVM_GET_PIT2");
    }

    public synchronized void setPit2(byte[] state) {
        set(KvmRequest.KVM_SET_PIT2, state, KvmStruct.PIT_STATE2, "KVM_SET_PIT2");
    }

    /** The guest's kvmclock and, where the flags say so, the host's clocks at the same instant. */
    public synchronized KvmClock clock() {
        clear(KvmStruct.CLOCK_DATA);
        check(Libc.ioctl(fd, KvmRequest.KVM_GET_CLOCK, scratch), "KVM_GET_CLOCK", "");
        return new KvmClock(
                NativeMemory.getLong(scratch),
                NativeMemory.getInt(scratch + 8),
                NativeMemory.getLong(scratch + 16),
                NativeMemory.getLong(scratch + 24));
    }

    public synchronized void setClock(KvmClock clock) {
        clear(KvmStruct.CLOCK_DATA);
        NativeMemory.putLong(scratch, clock.clockNs());
        NativeMemory.putInt(scratch + 8, clock.flags());
        NativeMemory.putLong(scratch + 16, clock.realtimeNs());
        NativeMemory.putLong(scratch + 24, clock.hostTsc());
        check(Libc.ioctl(fd, KvmRequest.KVM_SET_CLOCK, scratch), "KVM_SET_CLOCK", clock.toString());
    }

    /** @param log a {@code struct kvm_dirty_log} in the caller's memory */
    public void dirtyLog(long log, int slot) {
        check(Libc.ioctl(fd, KvmRequest.KVM_GET_DIRTY_LOG, log), "KVM_GET_DIRTY_LOG", "slot", slot);
    }

    /** @param log a {@code struct kvm_clear_dirty_log} in the caller's memory */
    public void clearDirtyLog(long log, int slot) {
        check(Libc.ioctl(fd, KvmRequest.KVM_CLEAR_DIRTY_LOG, log), "KVM_CLEAR_DIRTY_LOG", "slot", slot);
    }

    private void clear(int lengthBytes) {
        NativeMemory.fill(scratch, lengthBytes, (byte) 0);
    }

    private byte[] get(long request, int lengthBytes, String call) {
        check(Libc.ioctl(fd, request, scratch), call, "");
        byte[] state = new byte[lengthBytes];
        NativeMemory.copy(scratch, state, 0, lengthBytes);
        return state;
    }

    private void set(long request, byte[] state, int lengthBytes, String call) {
        if (state.length != lengthBytes) {
            throw new IllegalArgumentException(call + " takes " + lengthBytes + " bytes, not " + state.length);
        }
        NativeMemory.copy(state, 0, scratch, lengthBytes);
        check(Libc.ioctl(fd, request, scratch), call, "");
    }

    private static int check(int result, String call, String argument) {
        return Libc.check(result, call, argument);
    }

    /** As above, but the text is only made on failure: harvesting the dirty log does not allocate. */
    private static void check(int result, String call, String what, int number) {
        if (result < 0) {
            throw new LinuxException(call, what + " " + number, Libc.errno());
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.close(fd);
            NativeMemory.free(scratch);
        }
    }
}
