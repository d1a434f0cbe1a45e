// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/**
 * The reset line of a keyboard controller, without a keyboard or the controller: ports 0x60 (0 here) to 0x64 (4 here).
 * Called on vCPU threads; has no state, so there is nothing to save.
 */
public final class I8042 implements PortDevice {
    public static final int FIRST_PORT = 0x60;
    public static final int PORTS = 5;

    private static final int DATA = 0;
    private static final int COMMAND = 4;
    private static final int PULSE_RESET_LINE = 0xfe;

    /**
     * "Output full, input empty", for ever. Output full: Linux flushes at most 16 bytes and then knows that there is no
     * controller (i8042_flush), instead of waiting seconds for answers to commands. Input empty: {@code reboot=k} waits
     * for that before it pulses the reset line (kb_wait), up to 65536 exits long.
     */
    private static final int STATUS_NOBODY_HOME = 0x01;

    private final Runnable reset;

    /** {@code reset} is called on the vCPU thread that asks for it; it must not wait for that thread. */
    public I8042(Runnable reset) {
        this.reset = reset;
    }

    @Override
    public int read(int port) {
        switch (port) {
            case DATA:
                return 0;
            case COMMAND:
                return STATUS_NOBODY_HOME;
            default:
                return 0xff;
        }
    }

    @Override
    public void write(int port, int value) {
        if (port == COMMAND && (value & 0xff) == PULSE_RESET_LINE) {
            reset.run();
        }
    }
}
