// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.stream.GuestMemory;
import org.junit.jupiter.api.Test;

class SwitchPlannerTest {

    private static final int TARGET_BLACKOUT_MS = 10;
    private static final int SWITCH_COST_MS = 5;
    private static final int MAX_ROUNDS = 30;
    /** So slow that no round of these tests comes near the wanted blackout. */
    private static final double MILLIS_PER_PAGE = 1;

    private static final long FAR = Long.MAX_VALUE;

    private final SwitchPlanner planner = new SwitchPlanner(TARGET_BLACKOUT_MS, SWITCH_COST_MS, MAX_ROUNDS);

    private long dirty;
    private int rounds;

    private SwitchPlanner.Step next(boolean hydrated, long leftMs) {
        return planner.next(rounds, dirty * GuestMemory.PAGE_BYTES, hydrated, leftMs);
    }

    private void round(long leftPages) {
        planner.roundDone(dirty * GuestMemory.PAGE_BYTES, dirty * MILLIS_PER_PAGE, dirty, leftPages);
        dirty = leftPages;
        rounds++;
    }

    /** Rounds after hydration until it says switch, when a round leaves what {@code left} says. */
    private int roundsUntilSwitch(long found, long... left) {
        dirty = found;
        int made = 0;
        while (next(true, FAR) == SwitchPlanner.Step.ANOTHER_ROUND) {
            round(left[Math.min(made++, left.length - 1)]);
        }
        return made;
    }

    @Test
    void roundsGoOnAsLongAsEachLeavesLess() {
        assertThat(roundsUntilSwitch(10_000, 5_000, 2_500, 1_250, 625, 600, 600))
                .isEqualTo(6);
    }

    @Test
    void whatAGuestWritesAllTheTimeIsNotSentOverAndOver() {
        // A little more and a little less in turn: each second round leaves less than it found, and none makes
        // progress.
        assertThat(roundsUntilSwitch(800, 200, 240, 200, 240, 200, 240)).isEqualTo(3);
    }

    @Test
    void oneBurstOfWritesDoesNotEndIt() {
        assertThat(roundsUntilSwitch(4_000, 1_000, 1_500, 500, 250, 250, 250)).isEqualTo(6);
    }

    @Test
    void theRoundsOfAGuestThatWritesMoreAndLessAreLimited() {
        long[] shrinking = new long[100];
        for (int i = 0; i < shrinking.length; i++) {
            shrinking[i] = Math.round(1e9 * Math.pow(0.85, i));
        }
        assertThat(roundsUntilSwitch(2_000_000_000L, shrinking)).isEqualTo(MAX_ROUNDS);
    }

    @Test
    void theWantedBlackoutIsEnough() {
        dirty = 1_000;
        round(3);
        assertThat(next(true, FAR)).isEqualTo(SwitchPlanner.Step.SWITCH);
    }

    @Test
    void thereIsNoSwitchBeforeTheTargetHasTheStoresPart() {
        dirty = 200;
        for (int i = 0; i < 5; i++) {
            round(0);
            assertThat(next(false, FAR)).isEqualTo(SwitchPlanner.Step.ANOTHER_ROUND);
        }
        assertThat(next(true, FAR)).isEqualTo(SwitchPlanner.Step.SWITCH);
    }

    @Test
    void roundsOfTheTimeOfHydrationDoNotCount() {
        dirty = 300;
        round(100);
        next(false, FAR);
        round(100);
        next(false, FAR);
        assertThat(roundsUntilSwitch(2_000, 1_000, 500, 490, 490)).isEqualTo(4);
    }

    @Test
    void aNearDeadlineEndsTheRounds() {
        dirty = 1_000;
        round(900);
        assertThat(next(true, FAR)).isEqualTo(SwitchPlanner.Step.ANOTHER_ROUND);
        assertThat(next(true, 3 * (900 + SWITCH_COST_MS) + 900)).isEqualTo(SwitchPlanner.Step.SWITCH);
    }
}
