// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.util.ArrayList;
import java.util.List;

/**
 * Knows for every page of guest memory and every block of the disks whether the newest epoch of the store holds its bytes (invariant I2: nothing is cleared before
 * it is durable). A page is <em>dirty</em> (to be sent), then <em>pending</em> (sent, not durable); a commit forgets
 * the pending pages, a failure makes them dirty again. A page may be both: sent, and written since.
 *
 * <p>Used by one thread at a time: the streamer, or the evacuation while the streamer is suspended. Bits only ever
 * appear from elsewhere in the dirty log, in {@link GuestMemory#ownWrites()} and in {@link StreamedDisk#dirtyBlocks()}.
 */
public final class DirtyTracker {
    private final List<SpaceTracker> spaces;

    public DirtyTracker(LiveVm vm) {
        this(vm.memory(), vm.dirtyLog(), vm.disks());
    }

    DirtyTracker(GuestMemory memory, DirtyLog log, List<StreamedDisk> disks) {
        List<SpaceTracker> all = new ArrayList<>();
        all.add(new SpaceTracker(0, AddressSpace.of(memory, log)));
        for (StreamedDisk disk : disks) {
            all.add(new SpaceTracker(all.size(), AddressSpace.of(disk)));
        }
        spaces = List.copyOf(all);
    }

    /** Starts the log, then takes in what differs from the store. Pages that come to exist in between are logged. */
    public void start(Baseline baseline) {
        spaces.forEach(space -> space.start(baseline));
    }

    public void stop() {
        spaces.forEach(space -> space.space().stopLog());
    }

    /** Makes every page dirty that exists; the receiver starts from zeroes, or a disk from its base image. */
    public void markExisting() {
        spaces.forEach(SpaceTracker::markExisting);
    }

    /** Makes every page dirty: what the receiver holds is not known to have anything to do with this memory. */
    public void markEverything() {
        spaces.forEach(SpaceTracker::markEverything);
    }

    /** Takes in everything written since the last harvest; returns how many pages are dirty now. */
    public long harvest() {
        long dirty = 0;
        for (int i = 0; i < spaces.size(); i++) {
            dirty += spaces.get(i).harvest();
        }
        return dirty;
    }

    /**
     * Moves the next run of dirty pages, at or after the end of {@code run}, to pending. The caller sends it; a page
     * written meanwhile is harvested again later.
     *
     * @return false when no dirty page is left up to the end of the last space
     */
    public boolean takeNext(PageRun run) {
        long from = run.firstPage() + run.count();
        for (int i = run.space(); i < spaces.size(); i++) {
            if (spaces.get(i).takeNext(run, from)) {
                return true;
            }
            from = 0;
        }
        return false;
    }

    /** Queues a run that was taken. */
    public void publish(PageRun run, PagePipeline pipeline) {
        space(run).publish(run, pipeline);
    }

    /** The space that a run is of. */
    AddressSpace space(PageRun run) {
        return spaces.get(run.space()).space();
    }

    /** The pending pages are durable: forget them. */
    public void committed() {
        spaces.forEach(SpaceTracker::committed);
    }

    /** The pending pages did not become durable: they are dirty again. */
    public void failed() {
        spaces.forEach(SpaceTracker::failed);
    }

    /** A copy of the set of pages of guest memory whose bytes the newest epoch does not hold, as of the last harvest. */
    public PageBitmap pagesNotInNewestEpoch() {
        return spaces.get(0).pagesNotInNewestEpoch();
    }

    public long dirtyPages() {
        return spaces.stream().mapToLong(SpaceTracker::dirtyPages).sum();
    }

    public long pendingPages() {
        return spaces.stream().mapToLong(SpaceTracker::pendingPages).sum();
    }
}
