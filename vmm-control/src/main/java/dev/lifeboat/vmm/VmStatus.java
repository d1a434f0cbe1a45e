// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

/** Where a VM is in its life. */
public sealed interface VmStatus {
    /** Whether the VM has come to its end by itself; it never runs again. */
    default boolean ended() {
        return true;
    }

    /** Made, but not started yet. */
    record Created() implements VmStatus {
        @Override
        public boolean ended() {
            return false;
        }
    }

    record Running() implements VmStatus {
        @Override
        public boolean ended() {
            return false;
        }
    }

    record Paused() implements VmStatus {
        @Override
        public boolean ended() {
            return false;
        }
    }

    /** The guest powered itself off. */
    record ShutDown() implements VmStatus {}

    /** The guest asked for a reset; this monitor does not reset in place, whoever started the VM may start it again. */
    record RebootRequested() implements VmStatus {}

    /** The guest's kernel panicked and asked for a reset; told from a reboot as boot.RebootReason describes. */
    record Panicked() implements VmStatus {}

    /** A vCPU faulted while it handled a double fault; a real machine would reset. */
    record TripleFault(int vcpu) implements VmStatus {}

    /** KVM or the monitor could not go on; {@code reason} is for a person. */
    record Failed(String reason) implements VmStatus {}

    /** Closed by us. */
    record Closed() implements VmStatus {}
}
