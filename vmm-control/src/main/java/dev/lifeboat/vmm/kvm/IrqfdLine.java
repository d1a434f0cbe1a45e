// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.EventFd;
import dev.lifeboat.linux.kvm.KvmVm;
import dev.lifeboat.vmm.device.InterruptLine;

/**
 * An interrupt line that KVM raises as an edge when its eventfd is signalled. KVM does that from a work queue, so an
 * edge may still be under way when the interrupt controller is saved: devices raise what is pending again when they are
 * restored.
 */
final class IrqfdLine implements InterruptLine, AutoCloseable {
    private final EventFd event = new EventFd();

    IrqfdLine(KvmVm vm, int gsi) {
        try {
            vm.irqfd(event.fd(), gsi);
        } catch (RuntimeException e) {
            event.close();
            throw e;
        }
    }

    @Override
    public void raise() {
        event.signal();
    }

    /** KVM lets go of an irqfd by itself when its descriptor is closed. */
    @Override
    public void close() {
        event.close();
    }
}
