// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import java.util.List;

/**
 * The registers of a {@link Serial16550} and the bytes that the guest has not read yet.
 *
 * @param transmitPending a "transmit register empty" interrupt that the guest has not seen yet
 * @param overrun input was lost and the guest has not been told yet
 * @param input unsigned bytes, oldest first
 */
public record SerialState(
        int version,
        int divisorLow,
        int divisorHigh,
        int interruptEnable,
        int fifoControl,
        int lineControl,
        int modemControl,
        int scratch,
        boolean transmitPending,
        boolean overrun,
        List<Integer> input) {
    public static final int VERSION = 1;

    public SerialState {
        DeviceException.requireVersion("serial port state", version, VERSION);
        input = List.copyOf(input);
        if (input.size() > Serial16550.INPUT_BYTES) {
            throw new DeviceException(
                    "serial port state holds " + input.size() + " input bytes, more than " + Serial16550.INPUT_BYTES);
        }
    }
}
