// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

/**
 * Decides after each round what comes next, from the predicted blackout = remaining bytes / measured bandwidth +
 * fixed cost. Holds no thread and no clock. Later choices (throttle the vCPUs, switch with post-copy) belong here.
 */
final class SwitchPlanner {
    enum Step {
        /** Send what is dirty now, while the guest runs. */
        ANOTHER_ROUND,
        SWITCH
    }

    /**
     * Rounds pay when they leave at most this share of what was left when one last paid. Compared with what a round itself
     * found, a guest that writes a little more and a little less in turn would be sent over and over.
     */
    private static final double PAYS = 0.75;

    /** In a row without progress, before it is over: one may have met a burst of writes. */
    private static final int LAST_ROUNDS = 2;

    private static final long NOT_COUNTED = -1;

    /** Time kept free before the deadline, in predicted blackouts: predictions are rarely wrong by more. */
    private static final int MARGIN_BLACKOUTS = 3;

    private static final long MIN_MARGIN_MS = 1_000;

    private final int targetBlackoutMs;
    private final int switchCostMs;
    private final int maxRounds;
    private double bytesPerMs;
    private long pagesToShrink = NOT_COUNTED;
    private int roundsThatDidNotPay;

    SwitchPlanner(int targetBlackoutMs, int switchCostMs, int maxRounds) {
        this.targetBlackoutMs = targetBlackoutMs;
        this.switchCostMs = switchCostMs;
        this.maxRounds = maxRounds;
    }

    /** A round sent {@code bytes} in {@code millis}, having found {@code foundPages}, and left {@code leftPages}. */
    void roundDone(long bytes, double millis, long foundPages, long leftPages) {
        if (millis > 0 && bytes > 0) {
            double measured = bytes / millis;
            // Small rounds measure round trips, not bandwidth: the best seen is the closest.
            bytesPerMs = Math.max(bytesPerMs * 0.8, measured);
        }
        if (pagesToShrink == NOT_COUNTED) {
            pagesToShrink = foundPages;
        }
        if (leftPages <= pagesToShrink * PAYS) {
            pagesToShrink = leftPages;
            roundsThatDidNotPay = 0;
        } else {
            roundsThatDidNotPay++;
        }
    }

    double predictedBlackoutMs(long leftBytes) {
        return switchCostMs + (bytesPerMs > 0 ? leftBytes / bytesPerMs : 0);
    }

    /**
     * @param hydrated the target holds the store's part; there is no switch before that
     * @param leftMs until the deadline
     */
    Step next(int rounds, long leftBytes, boolean hydrated, long leftMs) {
        if (!hydrated) {
            // Rounds are only counted from there on: what gathers while the store is read has to shrink first.
            pagesToShrink = NOT_COUNTED;
            roundsThatDidNotPay = 0;
            return Step.ANOTHER_ROUND;
        }
        double blackoutMs = predictedBlackoutMs(leftBytes);
        boolean deadlineNears = leftMs < blackoutMs * MARGIN_BLACKOUTS + MIN_MARGIN_MS;
        boolean done = rounds > 0 && blackoutMs <= targetBlackoutMs;
        boolean noLongerPays = roundsThatDidNotPay >= LAST_ROUNDS || rounds >= maxRounds;
        return deadlineNears || done || noLongerPays ? Step.SWITCH : Step.ANOTHER_ROUND;
    }
}
