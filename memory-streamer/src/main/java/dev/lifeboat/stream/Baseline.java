// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.util.List;

/**
 * What the store already holds of a VM when its streaming starts: which pages differ, or may differ, from the newest
 * epoch. A restored VM differs in nothing, one that moved here in the pages it got from its source.
 */
public sealed interface Baseline {
    /** The store has no epoch of this VM: every page that exists is to be sent. */
    record Nothing() implements Baseline {}

    /** The store may hold epochs that have nothing to do with this memory: all pages are sent, zero ones too. */
    record Unknown() implements Baseline {}

    /**
     * Memory and disks equal an epoch of the store but for some pages.
     *
     * @param epoch its number
     * @param changed pages that may differ, by address space; a space that has none listed differs in nothing. Not
     *     changed any more once streaming has started
     */
    record Epoch(long epoch, List<PageBitmap> changed) implements Baseline {
        public Epoch {
            changed = List.copyOf(changed);
        }
    }

    static Baseline nothing() {
        return new Nothing();
    }

    static Baseline unknown() {
        return new Unknown();
    }

    static Baseline epoch(long epoch, List<PageBitmap> changed) {
        return new Epoch(epoch, changed);
    }

    /** Memory and disks were just filled from this epoch and nothing has run since. */
    static Baseline exactly(long epoch) {
        return new Epoch(epoch, List.of());
    }
}
