// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class FrameSwitchTest {

    private static final long BROADCAST = 0xffff_ffff_ffffL;
    /** Long enough that a frame which was let through would have been seen; frames take well under 1 ms here. */
    private static final long SILENCE_MS = 150;

    private static final long LIMIT_MS = 5_000;

    private Path directory;
    private FrameSwitch frameSwitch;
    private SwitchPort portA;
    private SwitchPort portB;
    private SwitchPort portC;
    private FakeMachine a;
    private FakeMachine b;
    private FakeMachine c;

    @BeforeEach
    void threeMachinesOnASwitch() throws Exception {
        directory = Files.createTempDirectory("lb-switch");
        frameSwitch = FrameSwitch.open(directory);
        portA = frameSwitch.addPort("a");
        portB = frameSwitch.addPort("b");
        portC = frameSwitch.addPort("c");
        a = connect(portA, 0x0200_0000_000aL);
        b = connect(portB, 0x0200_0000_000bL);
        c = connect(portC, 0x0200_0000_000cL);
    }

    private FakeMachine connect(SwitchPort port, long address) throws Exception {
        FakeMachine machine = new FakeMachine(port, address);
        long deadline = System.nanoTime() + Duration.ofMillis(LIMIT_MS).toNanos();
        while (!frameSwitch.isConnected(port)) {
            assertThat(System.nanoTime()).as("switch accepts " + port.name()).isLessThan(deadline);
            Thread.onSpinWait();
        }
        return machine;
    }

    @AfterEach
    void closeAll() throws Exception {
        for (FakeMachine machine : List.of(a, b, c)) {
            machine.close();
        }
        frameSwitch.close();
        for (String file : List.of("a.pcap", "b.pcap")) {
            Files.deleteIfExists(directory.resolve(file));
        }
        Files.delete(directory); // fails when a socket is left behind
    }

    private void everybodyIsLearned() throws Exception {
        for (FakeMachine machine : List.of(a, b, c)) {
            machine.send(BROADCAST, 0);
            for (FakeMachine other : List.of(a, b, c)) {
                if (other != machine) {
                    assertThat(other.next(LIMIT_MS)).isZero();
                }
            }
        }
    }

    @Test
    void aBroadcastReachesAllOthersAndALearnedAddressOnlyItsOwner() throws Exception {
        everybodyIsLearned();
        a.send(b.address, 1);
        assertThat(b.next(LIMIT_MS)).isEqualTo(1);
        assertThat(c.next(SILENCE_MS)).isEqualTo(-1);
        assertThat(a.next(0)).isEqualTo(-1);
    }

    @Test
    void anAddressThatMovesToAnotherPortIsFollowed() throws Exception {
        everybodyIsLearned();
        c.sendRaw(FakeMachine.frame(BROADCAST, b.address, 7, 60));
        assertThat(a.next(LIMIT_MS)).isEqualTo(7);
        assertThat(b.next(LIMIT_MS)).isEqualTo(7);
        a.send(b.address, 8);
        assertThat(c.next(LIMIT_MS)).isEqualTo(8);
        assertThat(b.next(SILENCE_MS)).isEqualTo(-1);
    }

    @Test
    void frameOrderSurvivesADelayThatIsTakenAwayInBetween() throws Exception {
        everybodyIsLearned();
        frameSwitch.setConditions(portA, portB, LinkConditions.CLEAR.withDelay(Duration.ofMillis(200)));
        long start = System.nanoTime();
        a.send(b.address, 1);
        c.send(b.address, 99);
        assertThat(b.next(LIMIT_MS)).as("an undelayed link overtakes").isEqualTo(99);
        frameSwitch.setConditions(portA, portB, LinkConditions.CLEAR);
        a.send(b.address, 2);
        assertThat(b.next(LIMIT_MS)).isEqualTo(1);
        assertThat(b.next(LIMIT_MS)).isEqualTo(2);
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(200_000_000L);
    }

    @Test
    void aHalfOpenPathPassesOneDirectionOnly() throws Exception {
        everybodyIsLearned();
        frameSwitch.setConditions(portA, portB, LinkConditions.BLOCKED);
        a.send(b.address, 1);
        b.send(a.address, 2);
        assertThat(a.next(LIMIT_MS)).isEqualTo(2);
        assertThat(b.next(SILENCE_MS)).isEqualTo(-1);
    }

    @Test
    void aPartitionSeparatesTheSidesUntilItIsHealed() throws Exception {
        everybodyIsLearned();
        frameSwitch.partition(List.of(portA), List.of(portB, portC));
        a.send(BROADCAST, 1);
        b.send(c.address, 2);
        assertThat(c.next(LIMIT_MS)).isEqualTo(2);
        assertThat(b.next(SILENCE_MS)).isEqualTo(-1);
        frameSwitch.heal();
        a.send(b.address, 3);
        assertThat(b.next(LIMIT_MS)).isEqualTo(3);
    }

    @Test
    void anUnpluggedPortNeitherSendsNorReceivesUntilItIsPluggedIn() throws Exception {
        everybodyIsLearned();
        frameSwitch.setPlugged(portB, false);
        a.send(b.address, 1);
        b.send(a.address, 2);
        assertThat(a.next(SILENCE_MS)).isEqualTo(-1);
        assertThat(b.next(0)).isEqualTo(-1);
        frameSwitch.setPlugged(portB, true);
        a.send(b.address, 3);
        assertThat(b.next(LIMIT_MS)).isEqualTo(3);
    }

    @Test
    void randomDropsRepeatWithTheirSeedAndLoseTheGivenShare() throws Exception {
        everybodyIsLearned();
        int frames = 1000;
        LinkConditions lossy = LinkConditions.CLEAR.withDrops(0.25, 42);
        List<Integer> first = passed(lossy, frames);
        List<Integer> second = passed(lossy, frames);
        assertThat(second).isEqualTo(first);
        // Binomial: 750 expected, standard deviation 14; the seed makes the outcome fixed anyway.
        assertThat(first).hasSizeBetween(690, 810);
    }

    private List<Integer> passed(LinkConditions conditions, int frames) throws Exception {
        frameSwitch.setConditions(portA, portB, conditions);
        for (int i = 1; i <= frames; i++) {
            a.send(b.address, i);
        }
        // The last word comes over a clear link after all frames of the lossy one were handled.
        List<Integer> numbers = new java.util.ArrayList<>();
        for (int number = b.next(LIMIT_MS); number != -1; number = b.next(SILENCE_MS)) {
            numbers.add(number);
        }
        return numbers;
    }

    @Test
    void aBandwidthCapSpreadsFramesOverTime() throws Exception {
        everybodyIsLearned();
        frameSwitch.setConditions(portA, portB, LinkConditions.CLEAR.withBandwidth(100_000));
        long start = System.nanoTime();
        for (int i = 1; i <= 30; i++) {
            a.sendRaw(FakeMachine.frame(b.address, a.address, i, 1000));
        }
        for (int i = 1; i <= 30; i++) {
            assertThat(b.next(LIMIT_MS)).isEqualTo(i);
        }
        assertThat(System.nanoTime() - start)
                .as("30 kB at 100 kB/s")
                .isGreaterThanOrEqualTo(Duration.ofMillis(290).toNanos());
    }

    @Test
    void aMachineThatWritesAnImpossibleLengthIsHungUpOnAndTheOthersGoOn() throws Exception {
        everybodyIsLearned();
        c.sendRaw(new byte[0]);
        long deadline = System.nanoTime() + Duration.ofMillis(LIMIT_MS).toNanos();
        while (frameSwitch.isConnected(portC)) {
            assertThat(System.nanoTime()).as("hang-up").isLessThan(deadline);
        }
        a.send(b.address, 1);
        assertThat(b.next(LIMIT_MS)).isEqualTo(1);
    }

    @Test
    void aMachineThatComesBackUsesTheSamePort() throws Exception {
        everybodyIsLearned();
        b.close();
        b = connect(portB, 0x0200_0000_000bL);
        long deadline = System.nanoTime() + Duration.ofMillis(LIMIT_MS).toNanos();
        int got = -1;
        while (got != 5 && System.nanoTime() < deadline) {
            a.send(b.address, 5); // the old socket may still be the port's for a moment
            got = b.next(50);
        }
        assertThat(got).isEqualTo(5);
    }

    @Test
    void aRecordingHoldsBothDirectionsOfItsPortAndSaysWhatDidNotFit() throws Exception {
        everybodyIsLearned();
        Path recording = frameSwitch.record(portB, 24 + 3 * (16 + 60));
        a.send(b.address, 1);
        b.send(a.address, 2);
        a.send(c.address, 3);
        assertThat(b.next(LIMIT_MS)).isEqualTo(1);
        assertThat(a.next(LIMIT_MS)).isEqualTo(2);
        assertThat(c.next(LIMIT_MS)).isEqualTo(3);
        assertThat(frameSwitch.flushRecording(portB)).isZero();
        assertThat(PcapStats.of(recording).frames()).isEqualTo(2);
        for (int i = 0; i < 4; i++) {
            a.send(b.address, i);
            assertThat(b.next(LIMIT_MS)).isEqualTo(i);
        }
        assertThat(frameSwitch.flushRecording(portB)).isEqualTo(3);
        assertThat(PcapStats.of(recording).frames()).isEqualTo(3);
    }

    @Test
    void twoPortsOfOneNameAreRefused() {
        assertThatThrownBy(() -> frameSwitch.addPort("a")).hasMessageContaining("already has a port a");
    }
}
