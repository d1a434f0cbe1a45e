// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import dev.lifeboat.vmm.device.PortDevice;

/**
 * The three ports that {@link AcpiTables} names: sleep control, sleep status and reset. Called on vCPU threads; has no
 * state. The calls back must not wait for the calling thread.
 */
public final class AcpiPorts implements PortDevice {
    public static final int FIRST_PORT = BootLayout.SLEEP_CONTROL_PORT;
    public static final int PORTS = 3;

    /** The value of \_S5 in the DSDT. */
    static final int SLEEP_TYPE_OFF = 5;

    static final int RESET_VALUE = 1;
    private static final int SLEEP_ENABLE = 1 << 5;
    private static final int SLEEP_TYPE_SHIFT = 2;
    private static final int SLEEP_TYPE_MASK = 7;

    private final Runnable powerOff;
    private final Runnable reset;

    public AcpiPorts(Runnable powerOff, Runnable reset) {
        this.powerOff = powerOff;
        this.reset = reset;
    }

    @Override
    public int read(int port) {
        return 0;
    }

    @Override
    public void write(int port, int value) {
        if (port == BootLayout.SLEEP_CONTROL_PORT - FIRST_PORT) {
            if ((value & SLEEP_ENABLE) != 0 && (value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK) == SLEEP_TYPE_OFF) {
                powerOff.run();
            }
        } else if (port == BootLayout.RESET_PORT - FIRST_PORT && value == RESET_VALUE) {
            reset.run();
        }
    }
}
