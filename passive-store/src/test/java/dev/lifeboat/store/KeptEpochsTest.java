// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.KeptEpochs.Kept;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KeptEpochsTest {
    private static Kept epoch(long number, long cutAtMillis) {
        return new Kept(number, cutAtMillis, 0, List.of(new SegmentRef("seg-" + number, 100, 0, 1)), Optional.empty());
    }

    private static KeptEpochs epochs(long newestWhole, int count) {
        KeptEpochs kept = new KeptEpochs(newestWhole);
        for (int number = 1; number <= count; number++) {
            kept.add(epoch(number, number * 1_000L));
        }
        return kept;
    }

    private static List<Long> numbers(List<Kept> epochs) {
        return epochs.stream().map(Kept::epoch).toList();
    }

    @Test
    void theLastFewAreKept() {
        assertThat(numbers(epochs(6, 6).dropOld(new RetentionPolicy(4, 0), 6_000)))
                .containsExactly(1L, 2L);
    }

    @Test
    void epochsThatAreNotOldAreKeptBesides() {
        assertThat(numbers(epochs(6, 6).dropOld(new RetentionPolicy(2, 3_500), 6_000)))
                .containsExactly(1L, 2L);
    }

    @Test
    void aFullStoreLosesItsOldestEpochsButNeverTheNewest() {
        assertThat(epochs(4, 4).dropEarly(List.of(), 0, 400)).isEmpty();
        assertThat(numbers(epochs(4, 4).dropEarly(List.of(), 100, 400))).containsExactly(1L);
        assertThat(numbers(epochs(4, 4).dropEarly(List.of(), 100, 200))).containsExactly(1L, 2L, 3L);
        assertThat(numbers(epochs(4, 4).dropEarly(List.of(), 1_000, 10))).containsExactly(1L, 2L, 3L);
    }

    @Test
    void theNewestWholeEpochStaysEvenWhenDamagedOnesAreNewer() {
        assertThat(numbers(epochs(2, 4).dropEarly(List.of(), 1_000, 10))).containsExactly(1L);
        assertThat(numbers(epochs(2, 6).dropOld(new RetentionPolicy(1, 0), 6_000)))
                .containsExactly(1L);
        assertThat(epochs(0, 4).dropEarly(List.of(), 1_000, 10)).isEmpty();
    }
}
