// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.stream.DirtyLog;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.vmm.boot.AcpiPorts;
import dev.lifeboat.vmm.boot.BootLayout;
import dev.lifeboat.vmm.boot.CommandLine;
import dev.lifeboat.vmm.boot.LinuxBoot;
import dev.lifeboat.vmm.boot.RebootReason;
import dev.lifeboat.vmm.device.I8042;
import dev.lifeboat.vmm.device.Serial16550;
import dev.lifeboat.vmm.device.VirtioDevice;
import dev.lifeboat.vmm.device.VirtioMmioTransport;
import dev.lifeboat.vmm.device.VirtioRng;
import dev.lifeboat.vmm.kvm.CpuCompatibility;
import dev.lifeboat.vmm.kvm.Hypervisor;
import dev.lifeboat.vmm.kvm.KvmMachine;
import dev.lifeboat.vmm.kvm.KvmState;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/**
 * One virtual machine: made to boot a kernel or to go on from a saved state, then started, paused and resumed any number
 * of times, closed. Any thread may call it; calls that change its state exclude one another. It uses the guest's memory
 * but does not own it: close the VM first, then the memory.
 */
public final class MicroVm implements LiveVm, AutoCloseable {
    private static final int COM1_PORTS = 8;
    /** Longer pauses are told to the guest; its lock-up detector waits seconds, its stall detectors longer. */
    private static final long WORTH_TELLING_NS = TimeUnit.MILLISECONDS.toNanos(500);

    /** A guest that boots hardly ever halts. */
    private static final double BUSY = 0.7;

    private static final long REHEARSAL_BYTES = 16 << 20;
    private static final AtomicBoolean WARMED_UP = new AtomicBoolean();

    private final GuestMemory memory;
    private final MicroVmConfig config;
    private final KvmMachine machine;
    private final Serial16550 serial;
    private final List<VirtioMmioTransport> transports = new ArrayList<>();
    private final AtomicReference<VmStatus> status = new AtomicReference<>(new VmStatus.Created());
    private final GuestLoad load = new GuestLoad(KvmMachine.VCPU_THREADS);
    /** Written before the VM is handed out. */
    private CpuCompatibility.Key cpuKey;

    private long pausedAtNs;
    private boolean closed;

    /**
     * A VM that starts at the entry of a kernel.
     *
     * @param memory zeroed, and filled by this call
     * @throws VmmException when this host has no usable KVM, or a file is missing, damaged or does not fit
     */
    public static MicroVm boot(GuestMemory memory, BootSource source, MicroVmConfig config) {
        try (Hypervisor hypervisor = Hypervisor.open()) {
            hypervisor.requireOrdinaryGuests();
            LinuxBoot.Entry entry = LinuxBoot.load(
                    memory,
                    source.kernel(),
                    source.initrd(),
                    CommandLine.complete(source.commandLine()),
                    config.vcpus(),
                    config.devices().size());
            MicroVm vm = new MicroVm(hypervisor, memory, config);
            return vm.closedOnFailure(() -> {
                vm.machine.prepareBoot(entry, config.cpuProfile());
                vm.cpuKey = vm.machine.cpuKey();
            });
        }
    }

    /**
     * A VM that goes on where another one was saved, when it is started.
     *
     * @param memory filled already: KVM looks into it while registers are restored
     * @param savedState of {@link #saveState}
     * @throws VmmException when this host or this configuration cannot run it; {@code memory} may then still be used
     */
    public static MicroVm restore(GuestMemory memory, byte[] savedState, MicroVmConfig config) {
        VmState state = VmState.decode(savedState);
        try (Hypervisor hypervisor = Hypervisor.open()) {
            CpuCompatibility.check(state.kvm().cpu(), CpuCompatibility.host(hypervisor));
            if (state.memoryBytes() != memory.lengthBytes()
                    || state.devices().size() != config.devices().size()) {
                throw new VmmException("the saved VM has " + state.memoryBytes() + " bytes of memory and "
                        + state.devices().size() + " devices, this one was configured with " + memory.lengthBytes()
                        + " and " + config.devices().size() + "; use the configuration it was saved with");
            }
            MicroVm vm = new MicroVm(hypervisor, memory, config);
            return vm.closedOnFailure(() -> vm.restore(state));
        }
    }

    /**
     * Passes when this host can go on with a saved VM; cheap, so that nothing is read or sent in vain.
     *
     * @throws VmmException naming what stands against it
     */
    public static void requireRestorable(byte[] savedState) {
        try (Hypervisor hypervisor = Hypervisor.open()) {
            CpuCompatibility.check(VmState.decode(savedState).kvm().cpu(), CpuCompatibility.host(hypervisor));
        }
    }

    /**
     * Saves and restores a tiny VM that never runs, so that what {@link #restore} needs is loaded before a blackout waits
     * for it: on a slow host the first restore of a process takes over a second, the next ones a tenth of that.
     */
    static void rehearseRestore(int vcpus) {
        MicroVmConfig config = new MicroVmConfig(
                vcpus, List.of(memory -> new VirtioRng("virtio-rng-rehearsal", memory)), value -> {}, end -> {});
        try (GuestMemory memory = new GuestMemory(REHEARSAL_BYTES);
                Hypervisor hypervisor = Hypervisor.open()) {
            byte[] state;
            try (MicroVm vm = new MicroVm(hypervisor, memory, config)) {
                vm.machine.prepareBoot(
                        new LinuxBoot.Entry(BootLayout.KERNEL, BootLayout.ZERO_PAGE), config.cpuProfile());
                vm.transports.forEach(VirtioMmioTransport::pause);
                vm.status.set(new VmStatus.Paused());
                state = vm.saveState();
            }
            restore(memory, state, config).close();
        }
    }

    private MicroVm(Hypervisor hypervisor, GuestMemory memory, MicroVmConfig config) {
        if (config.devices().size() > BootLayout.MAX_MMIO_DEVICES) {
            throw new VmmException("a VM has at most " + BootLayout.MAX_MMIO_DEVICES + " disks, networks and other"
                    + " devices together, not " + config.devices().size());
        }
        this.memory = memory;
        this.config = config;
        warmUp();
        machine = new KvmMachine(hypervisor, memory, config.vcpus(), Clock.systemUTC());
        boolean complete = false;
        try {
            serial = new Serial16550(machine.line(BootLayout.COM1_GSI), config.console());
            machine.addPorts(BootLayout.COM1_PORT, COM1_PORTS, serial);
            machine.addPorts(I8042.FIRST_PORT, I8042.PORTS, new I8042(this::onReset));
            machine.addPorts(
                    AcpiPorts.FIRST_PORT,
                    AcpiPorts.PORTS,
                    new AcpiPorts(() -> onGuestEnd(new VmStatus.ShutDown()), this::onReset));
            for (Function<GuestMemory, VirtioDevice> maker : config.devices()) {
                addDevice(maker.apply(memory));
            }
            machine.addMmio(transports);
            complete = true;
        } finally {
            if (!complete) {
                closeParts();
            }
        }
    }

    /**
     * Makes the JVM load and compile what encodes a state while the guest boots: the first time takes hundreds of
     * milliseconds (seconds on an emulated host), which would be part of the first epoch's pause.
     */
    private static void warmUp() {
        if (WARMED_UP.compareAndSet(false, true)) {
            Thread thread = new Thread(VmState::warmUp, "vm-warm-up");
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void addDevice(VirtioDevice device) {
        boolean complete = false;
        try {
            transports.add(new VirtioMmioTransport(
                    device, memory, machine.line(BootLayout.FIRST_DEVICE_GSI + transports.size())));
            complete = true;
        } finally {
            if (!complete) {
                device.close();
            }
        }
    }

    private MicroVm closedOnFailure(Runnable step) {
        boolean complete = false;
        try {
            step.run();
            complete = true;
            return this;
        } finally {
            if (!complete) {
                closeParts();
            }
        }
    }

    /** KVM first, then what may raise interrupts: an edge that came before would be overwritten. */
    private void restore(VmState state) {
        machine.restore(state.kvm());
        cpuKey = state.kvm().cpu();
        serial.restore(state.serial());
        for (int i = 0; i < transports.size(); i++) {
            transports.get(i).restore(state.devices().get(i));
        }
        status.set(new VmStatus.Paused());
    }

    /** Lets a new or restored VM run; called once. */
    public synchronized void start() {
        if (closed || status.get().ended()) {
            throw new VmmException("the VM has ended and cannot be started");
        }
        machine.start(this::onGuestEnd);
        run();
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public DirtyLog dirtyLog() {
        return machine.dirtyLog();
    }

    @Override
    public List<StreamedDisk> disks() {
        return config.disks();
    }

    /** What the guest was shown of the CPU, see {@link CpuCompatibility}. */
    public String cpuCompatibilityKey() {
        return CpuCompatibility.encode(cpuKey);
    }

    public VmStatus status() {
        return status.get();
    }

    /** Bytes for the guest's serial console, as if typed; returns how many were taken, see {@link Serial16550#input}. */
    public int consoleInput(byte[] bytes) {
        return serial.input(bytes);
    }

    /** vCPUs before devices: a vCPU could still write a device's registers. */
    @Override
    public synchronized void pause() {
        if (!(status.get() instanceof VmStatus.Running)) {
            return;
        }
        machine.park();
        try {
            transports.forEach(VirtioMmioTransport::pause);
        } catch (RuntimeException e) {
            transports.forEach(VirtioMmioTransport::resume);
            machine.run();
            throw e;
        }
        pausedAtNs = System.nanoTime();
        replaceUnlessEnded(new VmStatus.Paused());
    }

    @Override
    public synchronized void resume() {
        if (!(status.get() instanceof VmStatus.Paused)) {
            return;
        }
        if (System.nanoTime() - pausedAtNs > WORTH_TELLING_NS) {
            machine.tellGuestItWasStopped();
        }
        run();
    }

    /** Devices before vCPUs: a vCPU that notifies a device must find it working. */
    private void run() {
        replaceUnlessEnded(new VmStatus.Running());
        transports.forEach(VirtioMmioTransport::resume);
        machine.run();
    }

    @Override
    public boolean isBusy() {
        return load.sinceLastCall() >= BUSY;
    }

    /** Devices before KVM: the last completions have raised their interrupts by then. */
    @Override
    public synchronized byte[] saveState() {
        if (!(status.get() instanceof VmStatus.Paused)) {
            throw new VmmException("only a paused VM can be saved, this one is " + status.get());
        }
        var devices = transports.stream().map(VirtioMmioTransport::state).toList();
        KvmState kvm = machine.save();
        return new VmState(VmState.VERSION, memory.lengthBytes(), kvm, serial.state(), devices).encode();
    }

    private void onReset() {
        onGuestEnd(RebootReason.wasPanic(memory) ? new VmStatus.Panicked() : new VmStatus.RebootRequested());
    }

    /** On a vCPU thread, and perhaps on several at once: the first one counts. */
    private void onGuestEnd(VmStatus end) {
        if (replaceUnlessEnded(end)) {
            machine.end();
            Thread thread = new Thread(() -> finish(end), "vm-end");
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void finish(VmStatus end) {
        machine.awaitEnd();
        config.onEnd().accept(end);
    }

    private boolean replaceUnlessEnded(VmStatus next) {
        VmStatus old = status.getAndUpdate(now -> now.ended() ? now : next);
        return !old.ended();
    }

    /** Stops the guest where it is, if it still runs, and frees everything but the memory. Idempotent. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            replaceUnlessEnded(new VmStatus.Closed());
            closeParts();
        }
    }

    /**
     * The vCPUs end before the devices close, because they may be inside one; the devices close before KVM's descriptors,
     * because they raise interrupts on them.
     */
    private void closeParts() {
        machine.end();
        if (!machine.awaitEnd()) {
            throw new VmmException("a vCPU thread did not end within 20 s; its VM stays until this process exits");
        }
        transports.forEach(VirtioMmioTransport::close);
        machine.close();
    }
}
