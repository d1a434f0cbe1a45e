// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.TargetMarket;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/** What one VM wants, in memory only: agents say it again. Guarded by its planner. */
final class Target {
    /** A hint is forgotten when nothing comes of it for so long: most rebalance recommendations are followed by nothing. */
    private static final long WARM_MS = 900_000;
    /** Agents repeat what they run every half minute; one that missed three of them has gone. */
    private static final long KEPT_WARM_MS = 120_000;

    final String vmId;
    private final Deque<Long> movedAtMillis = new ArrayDeque<>();
    VmWish wish;
    Optional<Long> deadlineMillis = Optional.empty();
    long warmUntilMillis;
    long heardAtMillis;
    long retryAtMillis;
    long wantedSinceMillis = -1;
    long readyAfterMs = -1;
    boolean lost;
    boolean atRisk;
    String message = "";

    Target(String vmId, VmWish wish) {
        this.vmId = vmId;
        this.wish = wish;
    }

    void hear(VmWish heard, long nowMillis, boolean keepWarm) {
        if (!heard.host().equals(wish.host())) {
            // It has moved: what its last host was threatened with is over.
            calm();
            movedAtMillis.addLast(nowMillis);
        }
        boolean was = isWanted(nowMillis);
        wish = heard;
        heardAtMillis = nowMillis;
        if (heard.deadlineMillis().isPresent()) {
            if (deadlineMillis.isEmpty()) {
                retryAtMillis = 0;
            }
            deadlineMillis = heard.deadlineMillis();
        }
        if (heard.warm()) {
            warmUntilMillis = nowMillis + WARM_MS;
        } else if (keepWarm) {
            warmUntilMillis = Math.max(warmUntilMillis, nowMillis + KEPT_WARM_MS);
        }
        if (isWanted(nowMillis) && (!was || wantedSinceMillis < 0)) {
            wantedSinceMillis = nowMillis;
            readyAfterMs = -1;
        }
    }

    /** The notice is withdrawn. What has been bought becomes idle in time. */
    void calm() {
        deadlineMillis = Optional.empty();
        warmUntilMillis = 0;
        wantedSinceMillis = -1;
        readyAfterMs = -1;
    }

    boolean isWanted(long nowMillis) {
        return isPressing(nowMillis) || warmUntilMillis > nowMillis;
    }

    /**
     * Whether its service level is in danger, as its agent says, or because it has moved so often lately that the next host
     * should be one that stays.
     */
    boolean isAtRisk(long nowMillis, PlannerSettings settings) {
        while (!movedAtMillis.isEmpty() && nowMillis - movedAtMillis.getFirst() > settings.riskyMoveMillis()) {
            movedAtMillis.removeFirst();
        }
        return wish.atRisk() || movedAtMillis.size() >= settings.riskyMoves();
    }

    boolean isPressing(long nowMillis) {
        return deadlineMillis.isPresent() && deadlineMillis.get() > nowMillis;
    }

    boolean isNear(long nowMillis, long nearMillis) {
        return isPressing(nowMillis) && deadlineMillis.get() - nowMillis < nearMillis;
    }

    void lose(String why) {
        lost = true;
        message = why;
        readyAfterMs = -1;
    }

    void found(long nowMillis) {
        lost = false;
        message = "";
        if (readyAfterMs < 0) {
            readyAfterMs = wantedSinceMillis < 0 ? 0 : nowMillis - wantedSinceMillis;
        }
    }

    TargetMarket.TargetWish market(PlannerSettings settings) {
        return new TargetMarket.TargetWish(
                Math.max(wish.vcpus(), settings.leastVcpus()),
                Math.max(wish.memoryMiB(), settings.leastMemoryMiB()),
                wish.cpuProfile(),
                wish.zone());
    }
}
