// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import org.junit.jupiter.api.Test;

class Serial16550Test {
    private static final int IER_RECEIVE = 1;
    private static final int IER_TRANSMIT = 2;
    private static final int NO_INTERRUPT = 1;

    private final Interrupts interrupts = new Interrupts();
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final Serial16550 port = new Serial16550(interrupts, printed::write);

    @Test
    void whatTheGuestSendsReachesTheConsumerAndTheRegisterIsAlwaysEmpty() {
        for (byte letter : "hello".getBytes(US_ASCII)) {
            assertThat(port.read(5) & 0x60).isEqualTo(0x60);
            port.write(0, letter);
        }
        assertThat(printed.toString(US_ASCII)).isEqualTo("hello");
    }

    @Test
    void theDivisorHidesTheDataRegister() {
        port.write(3, 0x83);
        port.write(0, 'x');
        port.write(1, 0x12);
        assertThat(port.read(0)).isEqualTo('x');
        assertThat(port.read(1)).isEqualTo(0x12);
        port.write(3, 0x03);
        assertThat(port.read(1)).isZero();
        assertThat(printed.size()).isZero();
    }

    @Test
    void theProbeOfThe8250DriverFindsA16550A() {
        port.write(1, 0);
        assertThat(port.read(1)).isZero();
        port.write(1, 0xff);
        assertThat(port.read(1)).isEqualTo(0x0f);
        port.write(1, 0);
        port.write(4, 0x10 | 0x0a); // loop, OUT2 and RTS
        assertThat(port.read(6) & 0xf0).isEqualTo(0x90);
        port.write(4, 0);
        port.write(2, 1);
        assertThat(port.read(2) >> 6).isEqualTo(3);
        port.write(7, 0xa5);
        assertThat(port.read(7)).isEqualTo(0xa5);
    }

    @Test
    void enablingTheTransmitInterruptAsksForOneEachTimeAsTheDriversTestExpects() {
        for (int i = 0; i < 2; i++) {
            port.write(1, IER_TRANSMIT);
            assertThat(interrupts.take()).isOne();
            assertThat(port.read(2) & 0x0f).isEqualTo(2);
            assertThat(port.read(2) & 0x0f).as("seen once, gone").isEqualTo(NO_INTERRUPT);
            port.write(1, 0);
        }
    }

    @Test
    void sixteenBytesRaiseOneTransmitInterrupt() {
        port.write(1, IER_TRANSMIT);
        port.read(2);
        interrupts.take();
        for (int i = 0; i < 16; i++) {
            port.write(0, 'a' + i);
        }
        assertThat(interrupts.take()).isOne();
    }

    @Test
    void inputIsReadInOrderAndComesBeforeTransmitInTheIdentification() {
        port.write(1, IER_RECEIVE | IER_TRANSMIT);
        interrupts.take();
        assertThat(port.input("ok".getBytes(US_ASCII))).isEqualTo(2);
        assertThat(interrupts.take()).isOne();
        assertThat(port.read(2) & 0x0f).isEqualTo(4);
        assertThat(port.read(0)).isEqualTo('o');
        assertThat(port.read(5) & 1).isOne();
        assertThat(port.read(0)).isEqualTo('k');
        assertThat(port.read(5) & 1).isZero();
        assertThat(port.read(2) & 0x0f).isEqualTo(2);
    }

    @Test
    void inputBeforeTheDriverListensRaisesItsInterruptWhenItDoes() {
        port.input(new byte[] {1});
        assertThat(interrupts.take()).isZero();
        port.write(1, IER_RECEIVE);
        assertThat(interrupts.take()).isOne();
    }

    @Test
    void inputThatDoesNotFitIsNotTaken() {
        assertThat(port.input(new byte[5000])).isEqualTo(4096);
        assertThat(port.input(new byte[1])).isZero();
        port.read(0);
        assertThat(port.input(new byte[1])).isOne();
    }

    @Test
    void restoredPortGoesOnWhereTheSavedOneStopped() {
        port.write(1, IER_RECEIVE);
        port.write(7, 0x42);
        port.input("left".getBytes(US_ASCII));
        port.read(0);
        Interrupts there = new Interrupts();
        Serial16550 restored = new Serial16550(there, printed::write);
        restored.restore(port.state());
        assertThat(there.take()).as("input waits, the edge may have been lost").isOne();
        assertThat(restored.read(7)).isEqualTo(0x42);
        assertThat(new char[] {(char) restored.read(0), (char) restored.read(0), (char) restored.read(0)})
                .containsExactly('e', 'f', 't');
    }
}
