// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.evacuation.IncomingVm;
import dev.lifeboat.stream.wire.HelloInfo;
import dev.lifeboat.vmm.kvm.CpuCompatibility;
import dev.lifeboat.vmm.kvm.Hypervisor;

/** A VM on its way to this process; all methods but the constructor run on the migration session's thread. */
final class ArrivingVm implements IncomingVm {
    private final VmmConfig config;
    private final MicroVmConfig parts;
    private final GuestMemory memory;
    private volatile MicroVm vm;
    private volatile long sourceTerm;

    /** @param memory zeroed, of the configured size; not owned */
    ArrivingVm(VmmConfig config, MicroVmConfig parts, GuestMemory memory) {
        this.config = config;
        this.parts = parts;
        this.memory = memory;
    }

    @Override
    public void checkCompatible(HelloInfo hello) {
        VmDescription.of(config).requireSame(hello.vmDescription());
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
    public LiveVm build(byte[] state) {
        vm = MicroVm.restore(memory, state, parts);
        return vm;
    }

    @Override
    public void resume() {
        vm.start();
    }

    /** The VM once it is built. */
    MicroVm vm() {
        return vm;
    }

    /** The term under which it will run here. */
    long term() {
        return sourceTerm + 1;
    }

    @Override
    public void discard() {
        if (vm != null) {
            vm.close();
        }
    }
}
