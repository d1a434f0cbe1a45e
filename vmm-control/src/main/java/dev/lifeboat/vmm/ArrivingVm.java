// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.stream.evacuation.IncomingVm;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.vmm.kvm.CpuCompatibility;
import dev.lifeboat.vmm.kvm.Hypervisor;
import java.util.List;
import java.util.function.Supplier;

/**
 * A VM on its way to this process; all methods but the constructor run on the migration session's thread, and
 * {@link #discard} on any.
 */
final class ArrivingVm implements IncomingVm {
    private final VmmConfig config;
    private final Supplier<MicroVmConfig> parts;
    private final GuestMemory memory;
    private final VmDisks disks;
    private final ObjectStore objects;
    private volatile MicroVm vm;
    private volatile long sourceTerm;
    private volatile VmDescription description;
    /** Guarded by this. */
    private boolean discarded;

    /**
     * @param parts asked for once the disks are there
     * @param memory zeroed, of the configured size; not owned
     * @param disks made by this, not owned
     * @param objects where base images come from
     */
    ArrivingVm(
            VmmConfig config, Supplier<MicroVmConfig> parts, GuestMemory memory, VmDisks disks, ObjectStore objects) {
        this.disks = disks;
        this.objects = objects;
        this.config = config;
        this.parts = parts;
        this.memory = memory;
    }

    @Override
    public void checkCompatible(HelloInfo hello) {
        description = VmDescription.requireFitting(hello.vmDescription(), config);
        try (Hypervisor hypervisor = Hypervisor.open()) {
            CpuCompatibility.check(
                    CpuCompatibility.decode(hello.cpuCompatibilityKey()), CpuCompatibility.host(hypervisor));
        }
        sourceTerm = hello.term();
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public List<StreamedDisk> disks() {
        disks.make(description, objects);
        return disks.streamed();
    }

    @Override
    public synchronized LiveVm build(byte[] state) {
        requireWanted();
        vm = MicroVm.restore(memory, state, parts.get());
        return vm;
    }

    @Override
    public synchronized void resume() {
        requireWanted();
        vm.start();
    }

    private void requireWanted() {
        if (discarded) {
            throw new VmmException("VM " + config.vmId() + " was stopped while it arrived");
        }
    }

    /** What arrives, once the source has said it. */
    VmDescription description() {
        return description;
    }

    /** The VM once it is built. */
    MicroVm vm() {
        return vm;
    }

    /** The term under which it will run here. */
    long term() {
        return sourceTerm + 1;
    }

    /** Afterwards nothing of it uses the memory, and nothing will. */
    @Override
    public synchronized void discard() {
        discarded = true;
        if (vm != null) {
            vm.close();
        }
    }
}
