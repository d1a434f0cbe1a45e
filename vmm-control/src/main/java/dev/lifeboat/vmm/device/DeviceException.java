// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** A device that cannot be opened, paused or restored: which one, what was attempted, and what the user can do. */
public final class DeviceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public DeviceException(String message) {
        super(message);
    }

    public DeviceException(String message, Throwable cause) {
        super(message, cause);
    }

    /** Every state record begins with its version and calls this, so that a stream of a newer program is named. */
    static void requireVersion(String what, int version, int known) {
        if (version != known) {
            throw new DeviceException(
                    "%s has version %d and this program reads version %d: run the same release on both hosts"
                            .formatted(what, version, known));
        }
    }
}
