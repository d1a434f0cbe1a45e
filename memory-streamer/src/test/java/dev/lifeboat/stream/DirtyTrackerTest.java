// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DirtyTrackerTest {
    private final GuestMemory memory = new GuestMemory(256 * 4096);
    private final PageBitmap guestWrites = new PageBitmap(256);
    private final DirtyTracker tracker = new DirtyTracker(
            memory,
            new DirtyLog() {
                @Override
                public void start() {}

                @Override
                public void stop() {}

                @Override
                public long harvest(PageBitmap into) {
                    return guestWrites.drainTo(into);
                }
            },
            List.of());

    @AfterEach
    void unmap() {
        memory.close();
    }

    private List<Long> takeAll() {
        List<Long> pages = new ArrayList<>();
        PageRun run = new PageRun();
        while (tracker.takeNext(run)) {
            assertThat(run.count()).isBetween(1, PageRun.MAX_PAGES);
            for (int i = 0; i < run.count(); i++) {
                pages.add(run.firstPage() + i);
            }
        }
        return pages;
    }

    @Test
    void nothingIsClearedBeforeItIsDurable() {
        guestWrites.setRange(3, 20);
        tracker.harvest();
        assertThat(takeAll()).hasSize(20);
        assertThat(tracker.dirtyPages()).isZero();
        assertThat(tracker.pagesNotInNewestEpoch().count()).isEqualTo(20);

        guestWrites.set(5);
        tracker.harvest();
        tracker.failed();
        assertThat(takeAll()).hasSize(20).contains(3L, 5L, 22L);

        guestWrites.set(7);
        tracker.harvest();
        tracker.committed();
        assertThat(tracker.pagesNotInNewestEpoch().count()).isEqualTo(1);
        assertThat(takeAll()).containsExactly(7L);
    }

    @Test
    void writesOfOurOwnDevicesAreHarvestedToo() {
        memory.putLong(9 * 4096, 1);
        guestWrites.set(200);
        assertThat(tracker.harvest()).isEqualTo(2);
        assertThat(takeAll()).containsExactly(9L, 200L);
    }

    @Test
    void runsCoverEveryDirtyPageOnceAndNeverCrossAWordOfTheBitmap() {
        guestWrites.setRange(0, 256);
        tracker.harvest();
        List<Long> pages = takeAll();
        assertThat(pages).hasSize(256).doesNotHaveDuplicates();
    }

    @Test
    void untouchedPagesAreTakenWithoutBeingReadAndNeverShareARunWithOthers() {
        memory.putLong(4 * 4096, 1);
        tracker.start(Baseline.unknown());
        PageRun run = new PageRun();
        assertThat(tracker.takeNext(run)).isTrue();
        assertThat(run.isUntouched()).isTrue();
        assertThat(run.count()).isEqualTo(4);
        assertThat(tracker.takeNext(run)).isTrue();
        assertThat(run.isUntouched()).isFalse();
        assertThat(run.firstPage()).isEqualTo(4);
        assertThat(run.count()).isEqualTo(1);
    }
}
