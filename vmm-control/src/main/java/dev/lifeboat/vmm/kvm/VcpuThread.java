// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.KickSignal;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.linux.Niceness;
import dev.lifeboat.linux.kvm.KvmRun;
import dev.lifeboat.linux.kvm.KvmVcpu;
import dev.lifeboat.vmm.VmStatus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The platform thread {@code vcpu-N}: enters the guest and answers its exits until the VM ends. Allocates nothing and
 * takes no lock between two exits, besides what a device does. KVM wants KVM_RUN of one vCPU from one thread; while it
 * is parked, other threads may save or restore the vCPU.
 */
final class VcpuThread {
    private static final Logger LOG = LoggerFactory.getLogger(VcpuThread.class);

    /** The guest goes before what is done for it, and starves nothing: three times an ordinary thread's share, sched(7). */
    private static final int NICENESS = -5;

    private final KvmVcpu vcpu;
    private final long run;
    private final PortBus ports;
    private final MmioBus mmio;
    private final VcpuGate gate;
    private final Consumer<VmStatus> onEnd;
    private final Thread thread;
    private volatile int threadId;

    /** @param onEnd called on this thread when the guest came to an end; does not wait for this thread */
    VcpuThread(KvmVcpu vcpu, PortBus ports, MmioBus mmio, VcpuGate gate, Consumer<VmStatus> onEnd) {
        this.vcpu = vcpu;
        this.run = vcpu.runAddress();
        this.ports = ports;
        this.mmio = mmio;
        this.gate = gate;
        this.onEnd = onEnd;
        thread = new Thread(this::runGuarded, KvmMachine.VCPU_THREADS + vcpu.id());
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    boolean isCurrent() {
        return Thread.currentThread() == thread;
    }

    /** Calls the vCPU out of the guest; any thread. */
    void kick() {
        vcpu.setImmediateExit(true);
        NativeMemory.releaseFence();
        int id = threadId;
        if (id != 0 && !isCurrent()) {
            KickSignal.send(id);
        }
    }

    private void runGuarded() {
        threadId = Libc.gettid();
        // Where a host may not, guest and streaming share the processor evenly.
        Niceness.ofThisThread(NICENESS);
        try {
            loop();
        } catch (Throwable e) { // the VM ends with a reason, whatever it was
            LOG.error("vCPU {} stopped", vcpu.id(), e);
            onEnd.accept(new VmStatus.Failed("vCPU " + vcpu.id() + " stopped: " + e));
        } finally {
            threadId = 0;
            gate.hasEnded();
        }
    }

    private void loop() {
        while (true) {
            VcpuGate.Wanted wanted = gate.wanted();
            if (wanted == VcpuGate.Wanted.RUN) {
                if (vcpu.run() == 0) {
                    handleExit();
                } else {
                    handleError(Libc.errno());
                }
            } else if (wanted == VcpuGate.Wanted.PARK) {
                completeLastInstruction();
                gate.stayOut();
                allowEntry();
            } else {
                return;
            }
        }
    }

    /** See the memory order in {@link VcpuGate}: the caller looks at what is wanted after this. */
    private void allowEntry() {
        vcpu.setImmediateExit(false);
        NativeMemory.fullFence();
    }

    /**
     * A port or memory access that exited is only finished by the next KVM_RUN, which also moves the instruction pointer
     * (api.rst, KVM_RUN). With immediate_exit set it does just that and comes back with EINTR; an access that was split
     * exits once more for each part.
     */
    private void completeLastInstruction() {
        vcpu.setImmediateExit(true);
        while (vcpu.run() == 0 && gate.wanted() == VcpuGate.Wanted.PARK) {
            handleExit();
        }
    }

    /** EINTR: kicked. EAGAIN: an application processor that waits for its start-up interrupt. */
    private void handleError(int errno) {
        if (errno == Errno.EINTR || errno == Errno.EAGAIN) {
            allowEntry();
        } else {
            onEnd.accept(new VmStatus.Failed("KVM_RUN of vCPU " + vcpu.id() + ": " + Errno.describe(errno)
                    + ", exit reason " + NativeMemory.getInt(run + KvmRun.EXIT_REASON) + ", " + where()));
        }
    }

    private void handleExit() {
        int reason = NativeMemory.getInt(run + KvmRun.EXIT_REASON);
        switch (reason) {
            case KvmRun.EXIT_IO:
                portAccess();
                break;
            case KvmRun.EXIT_MMIO:
                memoryAccess();
                break;
            case KvmRun.EXIT_INTR:
                break;
            case KvmRun.EXIT_SHUTDOWN:
                onEnd.accept(new VmStatus.TripleFault(vcpu.id()));
                break;
            case KvmRun.EXIT_SYSTEM_EVENT:
                systemEvent();
                break;
            case KvmRun.EXIT_FAIL_ENTRY:
                onEnd.accept(new VmStatus.Failed("the processor refused to enter the guest on vCPU " + vcpu.id()
                        + ", hardware reason 0x"
                        + Long.toHexString(NativeMemory.getLong(run + KvmRun.HARDWARE_ENTRY_FAILURE_REASON)) + ", "
                        + where()));
                break;
            case KvmRun.EXIT_INTERNAL_ERROR:
                onEnd.accept(new VmStatus.Failed("KVM internal error "
                        + NativeMemory.getInt(run + KvmRun.INTERNAL_SUBERROR) + " on vCPU " + vcpu.id() + ", "
                        + where()));
                break;
            default:
                onEnd.accept(new VmStatus.Failed(
                        "KVM exit " + reason + " on vCPU " + vcpu.id() + ", which nothing here handles, " + where()));
        }
    }

    private void systemEvent() {
        int type = NativeMemory.getInt(run + KvmRun.SYSTEM_EVENT_TYPE);
        switch (type) {
            case KvmRun.SYSTEM_EVENT_SHUTDOWN:
                onEnd.accept(new VmStatus.ShutDown());
                break;
            case KvmRun.SYSTEM_EVENT_RESET:
                onEnd.accept(new VmStatus.RebootRequested());
                break;
            case KvmRun.SYSTEM_EVENT_CRASH:
                onEnd.accept(new VmStatus.Panicked());
                break;
            default:
                onEnd.accept(new VmStatus.Failed("KVM system event " + type + ", which nothing here handles"));
        }
    }

    /** {@code count} elements of {@code size} bytes each, to or from the same port (IN, OUT, INS, OUTS). */
    private void portAccess() {
        boolean out = NativeMemory.getByte(run + KvmRun.IO_DIRECTION) == KvmRun.IO_OUT;
        int size = NativeMemory.getByte(run + KvmRun.IO_SIZE);
        int port = NativeMemory.getShort(run + KvmRun.IO_PORT) & 0xffff;
        int count = NativeMemory.getInt(run + KvmRun.IO_COUNT);
        long data = run + NativeMemory.getLong(run + KvmRun.IO_DATA_OFFSET);
        for (int i = 0; i < count; i++) {
            for (int b = 0; b < size; b++, data++) {
                int at = port + b & 0xffff;
                if (out) {
                    ports.write(at, NativeMemory.getByte(data) & 0xff);
                } else {
                    NativeMemory.putByte(data, (byte) ports.read(at));
                }
            }
        }
    }

    private void memoryAccess() {
        long address = NativeMemory.getLong(run + KvmRun.MMIO_ADDRESS);
        int length = NativeMemory.getInt(run + KvmRun.MMIO_LENGTH);
        long data = run + KvmRun.MMIO_DATA;
        if (NativeMemory.getByte(run + KvmRun.MMIO_IS_WRITE) != 0) {
            mmio.write(address, length, get(data, length));
        } else {
            // The field has room for eight bytes; KVM takes as many as the access had.
            NativeMemory.putLong(data, mmio.read(address, length));
        }
    }

    private static long get(long data, int length) {
        switch (length) {
            case 1:
                return NativeMemory.getByte(data) & 0xffL;
            case 2:
                return NativeMemory.getShort(data) & 0xffffL;
            case 4:
                return NativeMemory.getInt(data) & 0xffff_ffffL;
            default:
                return NativeMemory.getLong(data);
        }
    }

    /** For reports: where the vCPU was. Only on the way to the end. */
    private String where() {
        try {
            byte[] regs = vcpu.regs();
            long rip = ByteBuffer.wrap(regs).order(ByteOrder.LITTLE_ENDIAN).getLong(128);
            return "rip 0x" + Long.toHexString(rip);
        } catch (RuntimeException e) {
            return "registers unknown (" + e.getMessage() + ")";
        }
    }
}
