// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.concurrent.atomic.AtomicLong;

/** How often what happened in random histories. */
final class HistoryStats {
    final AtomicLong commits = new AtomicLong();
    final AtomicLong abandons = new AtomicLong();
    final AtomicLong crashes = new AtomicLong();
    final AtomicLong unknownCommits = new AtomicLong();
    final AtomicLong fencings = new AtomicLong();
    final AtomicLong compactions = new AtomicLong();
    final AtomicLong readers = new AtomicLong();
    final AtomicLong restores = new AtomicLong();
    final AtomicLong checkpoints = new AtomicLong();
    final AtomicLong epochsOnCheckpoints = new AtomicLong();
    final AtomicLong damagedCheckpoints = new AtomicLong();
    final AtomicLong damages = new AtomicLong();
    final AtomicLong damagesNamed = new AtomicLong();

    boolean everythingHappened(long histories) {
        return commits.get() > histories
                && abandons.get() > histories / 10
                && crashes.get() > histories / 10
                && unknownCommits.get() > histories / 100
                && fencings.get() > histories / 20
                && compactions.get() > histories / 20
                && readers.get() > histories / 10
                && restores.get() > histories
                && checkpoints.get() > histories / 20
                && epochsOnCheckpoints.get() > histories / 5
                && damagedCheckpoints.get() > histories / 1000
                && damages.get() > histories / 20
                && damagesNamed.get() > histories / 100;
    }

    @Override
    public String toString() {
        return commits + " epochs, " + abandons + " given up, " + crashes + " crashes (" + unknownCommits
                + " in a commit that took effect), " + fencings + " fenced writers, " + compactions + " compactions, "
                + readers + " readers across epochs, " + restores + " restores, " + checkpoints + " checkpoints under "
                + epochsOnCheckpoints + " epochs, " + damages + " damaged objects (" + damagesNamed + " named, "
                + damagedCheckpoints + " checkpoints in use)";
    }
}
