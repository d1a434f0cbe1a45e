// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Arrays;
import java.util.BitSet;

/**
 * The pages that were asked for first after a restore, in that order; a hint, so a wrong one costs only time.
 * Thread-safe.
 */
final class WorkingSet {
    /** 256 MiB in single pages: what comes later is no working set any more. */
    private static final int MAX_RUNS = 64 * 1024;

    private static final int COUNT_BITS = 8;
    private static final int SPACE_BITS = 8;

    private final BitSet[] asked;
    private long[] runs = new long[256];
    private int size;

    WorkingSet(VmShape shape) {
        asked = new BitSet[shape.spaces()];
        Arrays.setAll(asked, space -> new BitSet());
    }

    /** As it stands in its object: space, page count and first page in one number each. */
    record Body(int version, String vmId, long epoch, long[] runs) {
        static final int VERSION = 1;

        int space(int run) {
            return (int) runs[run] & (1 << SPACE_BITS) - 1;
        }

        int pageCount(int run) {
            return (int) (runs[run] >>> SPACE_BITS) & (1 << COUNT_BITS) - 1;
        }

        long firstPage(int run) {
            return runs[run] >>> SPACE_BITS + COUNT_BITS;
        }
    }

    synchronized void asked(int space, long firstPage, int pageCount) {
        int from = asked[space].nextClearBit((int) firstPage);
        while (from < firstPage + pageCount && size < MAX_RUNS) {
            int to = asked[space].nextSetBit(from);
            to = (int) Math.min(to < 0 ? Long.MAX_VALUE : to, firstPage + pageCount);
            to = Math.min(to, from + (1 << COUNT_BITS) - 1);
            asked[space].set(from, to);
            add(space, from, to - from);
            from = asked[space].nextClearBit(to);
        }
    }

    private void add(int space, long firstPage, int pageCount) {
        if (size == runs.length) {
            runs = Arrays.copyOf(runs, 2 * size);
        }
        runs[size++] = (firstPage << COUNT_BITS | pageCount) << SPACE_BITS | space;
    }

    synchronized Body body(EpochManifest manifest) {
        return new Body(Body.VERSION, manifest.vmId(), manifest.epoch(), Arrays.copyOf(runs, size));
    }
}
