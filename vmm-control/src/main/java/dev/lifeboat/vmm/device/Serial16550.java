// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * A 16550A serial port without a line behind it: what the guest sends is handed to a consumer at once, so the transmit
 * register is always empty. Called on vCPU threads (ports) and on any other ({@link #input}); one lock, held for a few
 * instructions and the consumer. Register semantic: National Semiconductor PC16550D data sheet, sections 8.1 to 8.7, as
 * far as {@code drivers/tty/serial/8250/8250_port.c} looks at it.
 *
 * <p>The interrupt is an edge. It is raised whenever a condition becomes pending; the driver reads IIR until it says
 * "none", so a condition that appears meanwhile is either seen there or raises the next edge.
 */
public final class Serial16550 implements PortDevice {
    /** What waits for a guest that does not read: 16 hardware FIFOs full; a terminal paste fits. */
    static final int INPUT_BYTES = 4096;

    private static final int DATA = 0;
    private static final int IER = 1;
    private static final int IIR_FCR = 2;
    private static final int LCR = 3;
    private static final int MCR = 4;
    private static final int LSR = 5;
    private static final int MSR = 6;
    private static final int SCR = 7;

    private static final int IER_RECEIVE = 0x01;
    private static final int IER_TRANSMIT = 0x02;
    private static final int IER_LINE_STATUS = 0x04;
    private static final int IER_MASK = 0x0f;
    private static final int IIR_NONE = 0x01;
    private static final int IIR_TRANSMIT = 0x02;
    private static final int IIR_RECEIVE = 0x04;
    private static final int IIR_LINE_STATUS = 0x06;
    private static final int IIR_FIFO = 0xc0;
    private static final int FCR_ENABLE = 0x01;
    private static final int FCR_CLEAR_RECEIVE = 0x02;
    /** Enable and the trigger level stay; the clear bits act once. */
    private static final int FCR_KEPT = 0xc1;

    private static final int LCR_DIVISOR = 0x80;
    private static final int MCR_LOOP = 0x10;
    private static final int MCR_MASK = 0x1f;
    private static final int LSR_DATA = 0x01;
    private static final int LSR_OVERRUN = 0x02;
    private static final int LSR_TRANSMIT_EMPTY = 0x60;
    /** Carrier, data set ready, clear to send: a terminal is always there. */
    private static final int MSR_CONNECTED = 0xb0;

    private final InterruptLine interrupt;
    private final IntConsumer output;
    private final byte[] input = new byte[INPUT_BYTES];
    private int inputStart;
    private int inputCount;

    private int divisorLow = 12; // 9600 baud of a 1.8432 MHz crystal; nothing depends on it
    private int divisorHigh;
    private int interruptEnable;
    private int fifoControl;
    private int lineControl = 3; // eight bits, no parity
    private int modemControl;
    private int scratch;
    private boolean transmitPending;
    private boolean overrun;

    /**
     * A port after power-on.
     *
     * @param output gets each byte (0 to 255) the guest sends, on the vCPU thread, under the port's lock: be quick
     */
    public Serial16550(InterruptLine interrupt, IntConsumer output) {
        this.interrupt = interrupt;
        this.output = output;
    }

    /** Bytes for the guest; returns how many were taken, less than all when the guest does not read them. */
    public synchronized int input(byte[] bytes) {
        int taken = 0;
        while (taken < bytes.length && inputCount < INPUT_BYTES) {
            enqueue(bytes[taken++]);
        }
        if (taken > 0 && (interruptEnable & IER_RECEIVE) != 0) {
            interrupt.raise();
        }
        return taken;
    }

    @Override
    public synchronized int read(int port) {
        switch (port) {
            case DATA:
                return divisorSelected() ? divisorLow : dequeue();
            case IER:
                return divisorSelected() ? divisorHigh : interruptEnable;
            case IIR_FCR:
                return readInterruptIdentification();
            case LCR:
                return lineControl;
            case MCR:
                return modemControl;
            case LSR:
                int status = LSR_TRANSMIT_EMPTY | (inputCount > 0 ? LSR_DATA : 0) | (overrun ? LSR_OVERRUN : 0);
                overrun = false;
                return status;
            case MSR:
                return modemStatus();
            case SCR:
                return scratch;
            default:
                return 0xff;
        }
    }

    @Override
    public synchronized void write(int port, int value) {
        switch (port) {
            case DATA:
                if (divisorSelected()) {
                    divisorLow = value & 0xff;
                } else {
                    transmit(value & 0xff);
                }
                break;
            case IER:
                if (divisorSelected()) {
                    divisorHigh = value & 0xff;
                } else {
                    writeInterruptEnable(value & IER_MASK);
                }
                break;
            case IIR_FCR:
                fifoControl = value & FCR_KEPT;
                if ((value & FCR_CLEAR_RECEIVE) != 0) {
                    inputCount = 0;
                }
                break;
            case LCR:
                lineControl = value & 0xff;
                break;
            case MCR:
                modemControl = value & MCR_MASK;
                break;
            case SCR:
                scratch = value & 0xff;
                break;
            default: // LSR and MSR are read-only
                break;
        }
    }

    public synchronized SerialState state() {
        List<Integer> waiting = new ArrayList<>(inputCount);
        for (int i = 0; i < inputCount; i++) {
            waiting.add(input[(inputStart + i) % INPUT_BYTES] & 0xff);
        }
        return new SerialState(
                SerialState.VERSION,
                divisorLow,
                divisorHigh,
                interruptEnable,
                fifoControl,
                lineControl,
                modemControl,
                scratch,
                transmitPending,
                overrun,
                waiting);
    }

    /**
     * Takes over another port's registers. A pending condition raises the interrupt again: the edge that told the guest
     * may have been on its way when the state was saved, and one edge too many is harmless.
     */
    public synchronized void restore(SerialState state) {
        divisorLow = state.divisorLow();
        divisorHigh = state.divisorHigh();
        interruptEnable = state.interruptEnable();
        fifoControl = state.fifoControl();
        lineControl = state.lineControl();
        modemControl = state.modemControl();
        scratch = state.scratch();
        transmitPending = state.transmitPending();
        overrun = state.overrun();
        inputStart = 0;
        inputCount = 0;
        state.input().forEach(value -> enqueue(value.byteValue()));
        if (identification() != IIR_NONE) {
            interrupt.raise();
        }
    }

    private boolean divisorSelected() {
        return (lineControl & LCR_DIVISOR) != 0;
    }

    private void transmit(int value) {
        if ((modemControl & MCR_LOOP) != 0) {
            if (inputCount < INPUT_BYTES) {
                enqueue((byte) value);
            } else {
                overrun = true;
            }
            if ((interruptEnable & IER_RECEIVE) != 0) {
                interrupt.raise();
            }
        } else {
            output.accept(value);
        }
        transmitRegisterEmptied();
    }

    /** Only the change to "pending" is an edge: a driver that fills 16 bytes gets one interrupt, not 16. */
    private void transmitRegisterEmptied() {
        if (!transmitPending) {
            transmitPending = true;
            if ((interruptEnable & IER_TRANSMIT) != 0) {
                interrupt.raise();
            }
        }
    }

    /**
     * Enabling the transmit interrupt while the register is empty asks for one at once; the 8250 driver starts its
     * transmissions that way, and tests for it at start-up (serial8250_do_startup).
     */
    private void writeInterruptEnable(int value) {
        int enabled = value & ~interruptEnable;
        interruptEnable = value;
        if ((enabled & IER_TRANSMIT) != 0) {
            transmitPending = true;
        }
        if (enabled != 0 && identification() != IIR_NONE) {
            interrupt.raise();
        }
    }

    private int readInterruptIdentification() {
        int pending = identification();
        if (pending == IIR_TRANSMIT) {
            transmitPending = false;
        }
        return pending | ((fifoControl & FCR_ENABLE) != 0 ? IIR_FIFO : 0);
    }

    /** The pending condition of highest priority, data sheet table III. */
    private int identification() {
        if (overrun && (interruptEnable & IER_LINE_STATUS) != 0) {
            return IIR_LINE_STATUS;
        }
        if (inputCount > 0 && (interruptEnable & IER_RECEIVE) != 0) {
            return IIR_RECEIVE;
        }
        if (transmitPending && (interruptEnable & IER_TRANSMIT) != 0) {
            return IIR_TRANSMIT;
        }
        return IIR_NONE;
    }

    /** In loop-back the four modem outputs appear as inputs; drivers probe for a 16550 that way. */
    private int modemStatus() {
        if ((modemControl & MCR_LOOP) == 0) {
            return MSR_CONNECTED;
        }
        int dtr = modemControl & 1;
        int rts = modemControl >> 1 & 1;
        int out1 = modemControl >> 2 & 1;
        int out2 = modemControl >> 3 & 1;
        return rts << 4 | dtr << 5 | out1 << 6 | out2 << 7;
    }

    private void enqueue(byte value) {
        input[(inputStart + inputCount++) % INPUT_BYTES] = value;
    }

    private int dequeue() {
        if (inputCount == 0) {
            return 0;
        }
        int value = input[inputStart] & 0xff;
        inputStart = (inputStart + 1) % INPUT_BYTES;
        inputCount--;
        return value;
    }
}
