// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SegmentOrderTest {
    private static final long SEED = 61;

    private static SegmentRef segment(int n) {
        return new SegmentRef("seg-" + n, 100 + n, n, 1);
    }

    private static List<SegmentRef> segments(int from, int to) {
        List<SegmentRef> segments = new ArrayList<>();
        for (int n = from; n < to; n++) {
            segments.add(segment(n));
        }
        return segments;
    }

    @Test
    void anEqualListIsOnePair() {
        SegmentOrder order = SegmentOrder.of(segments(0, 2000), segments(0, 2000));
        assertThat(order.order()).containsExactly(0, 2000);
        assertThat(order.own()).isEmpty();
        assertThat(order.length()).isZero();
    }

    @Test
    void deadOnesCopiesInThePlaceOfARangeAndNewOnesAtTheEndAreFewPairs() {
        List<SegmentRef> list = segments(0, 1000);
        list.remove(700);
        list.subList(100, 200).clear();
        list.addAll(100, segments(5000, 5003));
        list.addAll(segments(6000, 6002));
        SegmentOrder order = SegmentOrder.of(segments(0, 1000), list);
        assertThat(order.order()).containsExactly(0, 100, -1, 3, 200, 500, 701, 299, -1, 2);
        assertThat(order.own()).hasSize(5);
        assertThat(order.apply(segments(0, 1000))).isEqualTo(list);
    }

    @Test
    void anyListComesBackFromWhatDiffers() {
        Random random = new Random(SEED);
        for (int round = 0; round < 2_000; round++) {
            List<SegmentRef> base = segments(0, random.nextInt(30));
            List<SegmentRef> list = new ArrayList<>(base);
            for (int edit = random.nextInt(8); edit > 0; edit--) {
                if (!list.isEmpty() && random.nextBoolean()) {
                    list.remove(random.nextInt(list.size()));
                } else {
                    list.add(random.nextInt(list.size() + 1), segment(100 + 10 * round + edit));
                }
            }
            assertThat(SegmentOrder.of(base, list).apply(base))
                    .as("round %d of seed %d", round, SEED)
                    .isEqualTo(list);
        }
    }

    @Test
    void whatDoesNotFitTheCheckpointIsRefusedAndNeverAShorterList() {
        List<SegmentRef> base = segments(0, 4);
        for (int[] order :
                new int[][] {{0}, {0, 5}, {4, 1}, {-2, 1}, {0, 0}, {0, -1}, {2, Integer.MAX_VALUE}, {0, 4}}) {
            assertThatThrownBy(() -> new SegmentOrder(order, segments(9, 10)).apply(base))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> new SegmentOrder(new int[] {-1, 2}, segments(9, 10)).apply(base))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
