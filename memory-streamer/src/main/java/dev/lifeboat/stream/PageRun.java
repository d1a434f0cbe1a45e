// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/** A mutable cursor over runs of neighbouring pages; one is reused for a whole pass. */
public final class PageRun {
    /** Runs never cross a multiple of 16 pages, so one lies within one word of a {@link PageBitmap}. */
    public static final int MAX_PAGES = 16;

    private int space;
    private long firstPage;
    private int count;
    private boolean untouched;

    /** The address space of these pages: 0 is guest memory, n the n-th of {@link LiveVm#disks}. */
    public int space() {
        return space;
    }

    public long firstPage() {
        return firstPage;
    }

    public int count() {
        return count;
    }

    /** No page of this run was ever written: it is zero, and must not be read, which would allocate it. */
    public boolean isUntouched() {
        return untouched;
    }

    /** Goes back to the start of memory, the first space. */
    public void rewind() {
        set(0, 0, 0, false);
    }

    void set(int space, long firstPage, int count, boolean untouched) {
        this.space = space;
        this.firstPage = firstPage;
        this.count = count;
        this.untouched = untouched;
    }
}
