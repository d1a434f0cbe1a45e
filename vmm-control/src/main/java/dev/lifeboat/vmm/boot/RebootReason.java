// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.stream.GuestMemory;

/**
 * Tells a kernel panic from a reboot that somebody asked for. Both end in the same port write, but Linux leaves word
 * for the BIOS at physical 0x472 just before (native_machine_emergency_restart, arch/x86/kernel/reboot.c): 0x1234 for
 * a warm reboot, else 0. With {@code reboot=panic_warm} (kernel/reboot.c) the panic path is warm and the ordinary one
 * cold. A guest started with its own {@code reboot=} option reports every panic as a reboot.
 */
public final class RebootReason {
    private static final long BIOS_RESET_FLAG = 0x472;
    private static final short WARM = 0x1234;

    private RebootReason() {}

    /** Valid at the moment of a reset request. */
    public static boolean wasPanic(GuestMemory memory) {
        return memory.getShort(BIOS_RESET_FLAG) == WARM;
    }
}
