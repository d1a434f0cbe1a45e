// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.XorDelta;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Chooses how each page of a run travels: as a delta where a copy of it is kept and little has changed, else together
 * with its neighbours in whatever encoding is short. One per encoder thread; allocates nothing per run.
 */
final class RunEncoder {
    private static final int PAGE_BYTES = GuestMemory.PAGE_BYTES;

    private final RunCodec codec = new RunCodec();
    private final XorDelta xorDelta = new XorDelta();
    private final HotPages hotPages;
    private final ByteBuffer deltas = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_PAGES * XorDelta.MAX_PAGE_BYTES);

    /** @param hotPages empty when there are to be no deltas */
    RunEncoder(Optional<HotPages> hotPages) {
        this.hotPages = hotPages.orElse(null);
    }

    /** Pages that are zero without a look at them. */
    void zero(EncodedRun run, int space, long firstPage, int count) {
        run.clear();
        addZero(run, space, firstPage, 0, count);
    }

    /** The pages are in {@code run}, and are replaced. */
    void encode(EncodedRun run, int space, long firstPage, int count, RunCodec.Effort effort) {
        run.clear();
        int start = 0;
        if (hotPages != null) {
            int page = 0;
            while (page < count) {
                int end = encodeDeltas(run.bytes(), space, firstPage, page, count);
                if (end == page) {
                    page++;
                    continue;
                }
                addFull(run, space, firstPage, start, page, effort);
                addDeltas(run, page, end);
                page = end;
                start = end;
            }
        }
        addFull(run, space, firstPage, start, count, effort);
    }

    /** Puts the deltas of as many pages as have one into {@link #deltas}; returns where they end. */
    private int encodeDeltas(ByteBuffer bytes, int space, long firstPage, int start, int count) {
        deltas.clear();
        int page = start;
        while (page < count) {
            int slot = hotPages.find(space, firstPage + page);
            if (slot == HotPages.NONE
                    || !xorDelta.encode(bytes.clear().position(page * PAGE_BYTES), hotPages.copy(slot), deltas)) {
                break;
            }
            hotPages.deltaSent(slot);
            page++;
        }
        return page;
    }

    private void addDeltas(EncodedRun run, int start, int end) {
        deltas.flip();
        int lengthBytes = deltas.remaining();
        ByteBuffer bytes = run.bytes().clear().position(start * PAGE_BYTES);
        bytes.put(deltas).limit(bytes.position()).position(bytes.position() - lengthBytes);
        run.addPart(end - start, RunCodec.DELTA);
    }

    private void addFull(EncodedRun run, int space, long firstPage, int start, int end, RunCodec.Effort effort) {
        if (start == end) {
            return;
        }
        ByteBuffer bytes = run.bytes().clear();
        bytes.limit(end * PAGE_BYTES).position(start * PAGE_BYTES);
        if (RunCodec.isZero(bytes)) {
            addZero(run, space, firstPage, start, end);
            return;
        }
        if (hotPages != null) {
            // Before the payload takes the place of the pages.
            for (int page = start; page < end; page++) {
                hotPages.fullSent(space, firstPage + page, bytes, page * PAGE_BYTES);
            }
        }
        byte encoding = codec.encodeInPlace(bytes, effort);
        bytes.limit(bytes.position()).position(start * PAGE_BYTES);
        run.addPart(end - start, encoding);
    }

    private void addZero(EncodedRun run, int space, long firstPage, int start, int end) {
        if (hotPages != null) {
            hotPages.zeroSent(space, firstPage + start, end - start);
        }
        run.bytes().clear().position(start * PAGE_BYTES).limit(start * PAGE_BYTES);
        run.addPart(end - start, RunCodec.ZERO);
    }
}
