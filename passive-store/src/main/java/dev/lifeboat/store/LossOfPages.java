// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.StoreVerifier.Cost;
import dev.lifeboat.store.StoreVerifier.Lost;
import java.util.ArrayList;
import java.util.List;

/** What a damaged segment costs each epoch: the pages whose newest version, or the delta against it, was in it. */
final class LossOfPages {
    private final SegmentObjects segments;
    private final SegmentRef damaged;
    private final SegmentCheck.Result result;

    LossOfPages(SegmentObjects segments, SegmentRef damaged, SegmentCheck.Result result) {
        this.segments = segments;
        this.damaged = damaged;
        this.result = result;
    }

    List<Cost> costs(EpochSurvey survey) {
        List<Cost> costs = new ArrayList<>();
        for (EpochSurvey.Seen seen : survey.epochs()) {
            int place = seen.manifest()
                    .map(manifest -> manifest.segments().indexOf(damaged))
                    .orElse(-1);
            if (place < 0) {
                continue;
            }
            if (result.allLost()) {
                costs.add(new Cost(seen.epoch(), true, List.of()));
                continue;
            }
            try {
                List<Lost> lost = lost(seen.manifest().orElseThrow(), place);
                if (!lost.isEmpty()) {
                    costs.add(new Cost(seen.epoch(), false, lost));
                }
            } catch (DamagedObjectException e) {
                // Another of its segments has no index any more; that one says so itself.
                costs.add(new Cost(seen.epoch(), true, List.of()));
            }
        }
        return costs;
    }

    private List<Lost> lost(EpochManifest manifest, int place) {
        List<PageIndex> spaces = new ArrayList<>();
        for (int space = 0; space < manifest.shape().spaces(); space++) {
            spaces.add(new PageIndex(space, manifest.shape().pages(space)));
        }
        SegmentIndexes indexes = new SegmentIndexes(segments, manifest);
        indexes.visitAll(
                StoreSettings.DEFAULT, (segment, index) -> spaces.forEach(pageIndex -> pageIndex.add(segment, index)));
        SegmentIndex index = indexes.get(place);
        List<Lost> lost = new ArrayList<>();
        for (int run = result.runs().nextSetBit(0);
                run >= 0;
                run = result.runs().nextSetBit(run + 1)) {
            PageIndex pageIndex = spaces.get(index.space(run));
            for (int i = 0; i < index.pageCount(run); i++) {
                int page = (int) index.firstPage(run) + i;
                long here = PageIndex.place(place, run, i);
                if (pageIndex.full(page) == here || pageIndex.delta(page) == here) {
                    add(lost, VmShape.name(index.space(run)), page);
                }
            }
        }
        return lost;
    }

    /** Joins neighbours. */
    private static void add(List<Lost> lost, String space, long page) {
        Lost last = lost.isEmpty() ? new Lost("", 0, 0) : lost.get(lost.size() - 1);
        if (last.space().equals(space) && last.first() + last.count() == page) {
            lost.set(lost.size() - 1, new Lost(space, last.first(), last.count() + 1));
        } else {
            lost.add(new Lost(space, page, 1));
        }
    }
}
