// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** A ring or descriptor that breaks the virtio specification. Ends in DEVICE_NEEDS_RESET, never leaves the device. */
final class HostileQueueException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    HostileQueueException(String message) {
        super(message);
    }
}
