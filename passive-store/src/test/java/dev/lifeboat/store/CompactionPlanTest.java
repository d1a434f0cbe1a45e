// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.LivePages.Segment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CompactionPlanTest {
    private static final long MIB = 1 << 20;
    private static final long NO_LIMIT = 1L << 40;

    private final List<Segment> segments = new ArrayList<>();

    private void add(long lengthBytes, int livePercent) {
        Segment segment = new Segment(segments.size(), new SegmentRef("seg-" + segments.size(), lengthBytes, 0, 1));
        segment.pages = 100;
        segment.livePages = livePercent;
        segments.add(segment);
    }

    private List<Integer> choose(long maxLiveBytes, double fullness) {
        return CompactionPlan.choose(segments, maxLiveBytes, 16 * MIB, fullness).stream()
                .map(segment -> segment.number)
                .toList();
    }

    @Test
    void whatIsAliveIsLeftAlone() {
        for (int i = 0; i < 10; i++) {
            add(16 * MIB, 100);
        }
        assertThat(choose(NO_LIMIT, 0.1)).isEmpty();
        assertThat(choose(NO_LIMIT, 0.99)).isEmpty();
    }

    @Test
    void neighboursThatAreMostlyDeadAreTakenTogether() {
        add(16 * MIB, 100);
        add(16 * MIB, 20);
        add(16 * MIB, 30);
        add(16 * MIB, 100);
        assertThat(choose(NO_LIMIT, 0.1)).containsExactly(1, 2);
    }

    @Test
    void theFullerTheStoreTheLessItHasToBeWorth() {
        add(16 * MIB, 75);
        add(16 * MIB, 100);
        assertThat(choose(NO_LIMIT, 0.4)).isEmpty();
        assertThat(choose(NO_LIMIT, 0.75)).containsExactly(0);
    }

    @Test
    void manySmallSegmentsBecomeOne() {
        for (int i = 0; i < 20; i++) {
            add(40 * 1024, 100);
        }
        assertThat(choose(NO_LIMIT, 0.1)).hasSize(20);
        segments.subList(5, segments.size()).clear();
        assertThat(choose(NO_LIMIT, 0.1)).as("not worth it yet").isEmpty();
    }

    @Test
    void noMoreIsCopiedAtOnceThanThereIsRoomFor() {
        for (int i = 0; i < 10; i++) {
            add(16 * MIB, 25);
        }
        assertThat(choose(12 * MIB, 0.1)).hasSize(3);
    }
}
