// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.KickSignal;
import dev.lifeboat.linux.kvm.KvmCapability;
import dev.lifeboat.linux.kvm.KvmClock;
import dev.lifeboat.linux.kvm.KvmVcpu;
import dev.lifeboat.linux.kvm.KvmVm;
import dev.lifeboat.stream.DirtyLog;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.VmStatus;
import dev.lifeboat.vmm.VmmException;
import dev.lifeboat.vmm.boot.BootLayout;
import dev.lifeboat.vmm.boot.BootRegisters;
import dev.lifeboat.vmm.boot.LinuxBoot;
import dev.lifeboat.vmm.device.InterruptLine;
import dev.lifeboat.vmm.device.PortDevice;
import dev.lifeboat.vmm.device.VirtioMmioTransport;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * The KVM half of a VM: memory slots, interrupt controllers, clock, vCPUs and their threads, buses. Built in three
 * steps: constructor, devices ({@link #line}, {@link #addPorts}, {@link #addMmio}), then {@link #prepareBoot} or {@link
 * #restore}. Not thread-safe: its owner calls it under one lock.
 */
public final class KvmMachine implements AutoCloseable {
    /** How the names of the vCPUs' threads begin. */
    public static final String VCPU_THREADS = "vcpu-";

    private static final int PICS_AND_IOAPIC = 3;
    /** Manual protection of the dirty log, no page dirty at first. */
    private static final long DIRTY_LOG_MANUAL_PROTECT = 1;

    private static final int LAPIC_LINT0 = 0x350;
    private static final int LAPIC_LINT1 = 0x360;
    private static final int LAPIC_MODE_MASK = 0x700;
    private static final int LAPIC_MODE_NMI = 0x400;
    private static final int LAPIC_MODE_EXTERNAL = 0x700;
    private static final long MISC_ENABLE_FAST_STRINGS = 1;
    /** Enabled, fixed ranges enabled, write-back: without it all RAM is uncached. */
    private static final long MTRR_ENABLED_WRITE_BACK = 0xc06;

    private final KvmVm vm;
    private final CpuidTable hostCpuid;
    private final CpuCompatibility.Key hostKey;
    private final Hypervisor.Kind kind;
    private final boolean clockTakesWallClock;
    private final int[] msrCandidates;
    private final GuestMemory memory;
    private final Clock wallClock;
    private final PortBus ports = new PortBus();
    private final VcpuGate gate = new VcpuGate();
    private final List<KvmVcpu> vcpus = new ArrayList<>();
    private final List<VcpuThread> threads = new ArrayList<>();
    private final List<IrqfdLine> lines = new ArrayList<>();
    private List<VirtioMmioTransport> transports = List.of();
    private final KvmDirtyLog dirtyLog;
    private int[] msrIndices = {};
    private boolean hasTscOffset;
    private boolean started;
    private boolean closed;

    public KvmMachine(Hypervisor hypervisor, GuestMemory memory, int vcpuCount, Clock wallClock) {
        this.memory = memory;
        this.wallClock = wallClock;
        kind = hypervisor.kind();
        hostCpuid = CpuModel.host(hypervisor.kvm());
        hostKey = CpuCompatibility.host(hypervisor);
        msrCandidates = MsrPolicy.saved(hypervisor.kvm().msrIndexList());
        int adjustClock = hypervisor.kvm().checkExtension(KvmCapability.ADJUST_CLOCK);
        clockTakesWallClock = (adjustClock & KvmVm.CLOCK_REALTIME) != 0;
        vm = hypervisor.kvm().createVm();
        dirtyLog = new KvmDirtyLog(vm, memory);
        boolean complete = false;
        try {
            build(vcpuCount);
            complete = true;
        } finally {
            if (!complete) {
                close();
            }
        }
    }

    /**
     * The interrupt controllers come before the vCPUs, which get a local APIC only then; the dirty log's mode comes before
     * any vCPU too (api.rst, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2).
     */
    private void build(int vcpuCount) {
        vm.setTssAddress(BootLayout.KVM_TSS);
        vm.createIrqchip();
        // Hardware-reduced ACPI has no 8259: an interrupt that also reached it would arrive twice.
        vm.routeToIoapic(BootLayout.INTERRUPT_LINES);
        vm.createPit2();
        vm.enableCapability(KvmCapability.MANUAL_DIRTY_LOG_PROTECT2, DIRTY_LOG_MANUAL_PROTECT);
        dirtyLog.giveMemory();
        for (int id = 0; id < vcpuCount; id++) {
            vcpus.add(vm.createVcpu(id));
        }
        hasTscOffset = vcpus.get(0).hasTscOffset();
    }

    /** The interrupt line {@code gsi}; lives as long as the machine. */
    public InterruptLine line(int gsi) {
        IrqfdLine line = new IrqfdLine(vm, gsi);
        lines.add(line);
        return line;
    }

    public void addPorts(int firstPort, int count, PortDevice device) {
        ports.add(firstPort, count, device);
    }

    /** Puts the devices on the memory-mapped bus, with notifications that do not exit; called once. */
    public void addMmio(List<VirtioMmioTransport> devices) {
        transports = List.copyOf(devices);
        for (int i = 0; i < transports.size(); i++) {
            long base = BootLayout.MMIO_DEVICES + i * BootLayout.MMIO_DEVICE_BYTES;
            for (int queue = 0; queue < transports.get(i).queueCount(); queue++) {
                vm.ioeventfd(transports.get(i).notifyFd(queue).fd(), base + VirtioMmioTransport.QUEUE_NOTIFY, queue);
            }
        }
    }

    /** Registers of a machine that is about to enter the kernel; application processors wait for their start-up. */
    public void prepareBoot(LinuxBoot.Entry entry, CpuProfile profile) {
        CpuidTable cpuid = CpuLevels.restrict(hostCpuid, profile);
        for (KvmVcpu vcpu : vcpus) {
            // CPUID before MSRs: KVM refuses or ignores registers of features that the guest does not have.
            vcpu.setCpuid(CpuModel.forVcpu(cpuid, vcpu.id(), vcpus.size()));
            long[] values = {MISC_ENABLE_FAST_STRINGS, MTRR_ENABLED_WRITE_BACK};
            if (vcpu.setMsrs(new int[] {MsrPolicy.MISC_ENABLE, MsrPolicy.MTRR_DEFAULT_TYPE}, values, 0) != 2) {
                throw new VmmException(
                        "this host's KVM refuses the memory types a kernel needs at its start (MSR 0x2ff);"
                                + " its version is not supported");
            }
            vcpu.setLapic(withLocalInterrupts(vcpu.lapic()));
        }
        KvmVcpu first = vcpus.get(0);
        first.setSregs(BootRegisters.sregs(first.sregs()));
        first.setRegs(BootRegisters.regs(entry));
        msrIndices = MsrBlock.readable(first, msrCandidates);
    }

    /** As the firmware of a PC leaves it: LINT0 takes the 8259's interrupt, LINT1 is the NMI. */
    private static byte[] withLocalInterrupts(byte[] lapic) {
        ByteBuffer registers = ByteBuffer.wrap(lapic).order(ByteOrder.LITTLE_ENDIAN);
        registers.putInt(LAPIC_LINT0, registers.getInt(LAPIC_LINT0) & ~LAPIC_MODE_MASK | LAPIC_MODE_EXTERNAL);
        registers.putInt(LAPIC_LINT1, registers.getInt(LAPIC_LINT1) & ~LAPIC_MODE_MASK | LAPIC_MODE_NMI);
        return registers.array();
    }

    /** Starts the vCPU threads, outside the guest. */
    public void start(Consumer<VmStatus> onGuestEnd) {
        KickSignal.install();
        MmioBus mmio = new MmioBus(transports);
        for (KvmVcpu vcpu : vcpus) {
            threads.add(new VcpuThread(vcpu, ports, mmio, gate, onGuestEnd));
        }
        started = true;
        threads.forEach(VcpuThread::start);
    }

    /** Lets the vCPUs into the guest. */
    public void run() {
        gate.run();
    }

    /** On return no vCPU is in the guest and each has finished its last instruction. */
    public void park() {
        if (started) {
            gate.park(threads);
        }
    }

    /** No vCPU enters the guest again; does not wait. Any thread. */
    public void end() {
        gate.end(threads);
    }

    /** Waits until every vCPU thread has ended, after {@link #end}; returns whether they did in time. */
    public boolean awaitEnd() {
        return !started || gate.awaitEnd(threads);
    }

    /** So that a guest which stood still does not report a lock-up; while parked. */
    public void tellGuestItWasStopped() {
        vcpus.forEach(KvmVcpu::tellGuestItWasStopped);
    }

    public DirtyLog dirtyLog() {
        return dirtyLog;
    }

    /** What this guest was shown of the CPU; while the guest stands still. */
    public CpuCompatibility.Key cpuKey() {
        return key(vcpus.get(0).cpuid());
    }

    private CpuCompatibility.Key key(byte[] cpuid) {
        return CpuCompatibility.key(new CpuidTable(cpuid), kind, vcpus.get(0).xsaveBytes());
    }

    /**
     * Reads everything, while parked and after the devices have been paused and saved (a completion may raise an
     * interrupt). The vCPUs come before the interrupt controllers: reading a local APIC may move an interrupt between the
     * two, and the controllers' view is the later one. The clock is read right after the counters of the vCPUs.
     */
    public KvmState save() {
        List<VcpuState> states = new ArrayList<>(vcpus.size());
        for (KvmVcpu vcpu : vcpus) {
            states.add(VcpuStates.save(vcpu, msrIndices, hasTscOffset));
        }
        ClockState clock = ClockState.of(vm.clock(), wallClockNs());
        List<byte[]> irqchips = new ArrayList<>(PICS_AND_IOAPIC);
        for (int chip = 0; chip < PICS_AND_IOAPIC; chip++) {
            irqchips.add(vm.irqchip(chip));
        }
        return new KvmState(key(states.get(0).cpuid()), clock, vm.pit2(), irqchips, states);
    }

    /**
     * Writes everything into a fresh machine whose memory is filled. The CPU is checked before anything else; then PIT,
     * clock and interrupt controllers, then the vCPUs in the order of {@link VcpuStates#restore}. The clock comes first
     * because the kvmclock MSRs make KVM write the wall clock into the guest's memory from it, the controllers because
     * local APICs take their interrupts.
     *
     * @throws VmmException when this host cannot run the saved VM, naming why
     */
    public void restore(KvmState state) {
        CpuCompatibility.check(state.cpu(), hostKey);
        if (state.vcpus().size() != vcpus.size() || state.irqchips().size() != PICS_AND_IOAPIC) {
            throw new VmmException("the saved VM has " + state.vcpus().size() + " vCPUs, this one was configured with "
                    + vcpus.size() + "; use the configuration it was saved with");
        }
        // KVM writes memory while registers are restored; that differs from what the store or the source holds.
        dirtyLog.start();
        vm.setPit2(state.pit2());
        vm.setClock(state.clock().toSet(clockTakesWallClock, wallClockNs()));
        state.irqchips().forEach(vm::setIrqchip);
        KvmClock now = vm.clock();
        TscPlan tsc = new TscPlan(state.clock().asSaved(), now, hasTscOffset);
        for (int i = 0; i < vcpus.size(); i++) {
            VcpuStates.restore(vcpus.get(i), state.vcpus().get(i), tsc);
        }
        msrIndices = MsrBlock.readable(vcpus.get(0), msrCandidates);
        tellGuestItWasStopped();
    }

    private long wallClockNs() {
        Instant now = wallClock.instant();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }

    /**
     * Ends the threads and frees everything.
     *
     * @throws VmmException when a vCPU thread does not end; what it may still use is then not freed
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        end();
        if (!awaitEnd()) {
            throw new VmmException("a vCPU thread did not end within 20 s; its VM stays until this process exits");
        }
        closed = true;
        lines.forEach(IrqfdLine::close);
        vcpus.forEach(KvmVcpu::close);
        dirtyLog.close();
        vm.close();
    }
}
