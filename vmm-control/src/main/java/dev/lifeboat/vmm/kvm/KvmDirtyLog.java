// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.linux.kvm.KvmStruct;
import dev.lifeboat.linux.kvm.KvmVm;
import dev.lifeboat.stream.DirtyLog;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;
import java.util.List;

/**
 * KVM's dirty bitmap with manual protection (api.rst, KVM_CLEAR_DIRTY_LOG): reading it leaves it as it is; clearing it
 * write-protects exactly the pages cleared. Switched on it is empty, and KVM protects all that is mapped: nothing written
 * from then on is missed. So a VM that came from the store, or from another host, does not have to send again what the
 * store holds; with KVM_DIRTY_LOG_INITIALLY_SET every page would count as written, even those that do not exist yet.
 *
 * <p>It is on before the registers of such a VM are restored, because KVM writes memory then. A VM that boots runs without
 * it until its first epoch, with large pages where the host has them.
 *
 * <p>Over-reporting is harmless and happens (a page that was only executed). One streaming thread at a time; harvesting
 * allocates nothing.
 */
final class KvmDirtyLog implements DirtyLog, AutoCloseable {
    /** KVM holds its MMU lock for one clear call: 64 Ki pages (256 MiB) keep that short for vCPUs that fault. */
    private static final long PAGES_PER_CLEAR = 1 << 16;

    private static final int BITS_PER_WORD = 64;

    private final KvmVm vm;
    private final List<GuestMemory.Region> regions;
    /** One bitmap per region; our memory, because the kernel writes it. */
    private final long[] bitmaps;

    private final long log = NativeMemory.allocate(KvmStruct.DIRTY_LOG);
    private final long clear = NativeMemory.allocate(KvmStruct.CLEAR_DIRTY_LOG);
    private boolean started;
    private boolean closed;

    KvmDirtyLog(KvmVm vm, GuestMemory memory) {
        this.vm = vm;
        this.regions = memory.regions();
        bitmaps = regions.stream()
                .mapToLong(region -> NativeMemory.allocate(words(region) * Long.BYTES))
                .toArray();
    }

    private static long pages(GuestMemory.Region region) {
        return region.lengthBytes() / GuestMemory.PAGE_BYTES;
    }

    private static long words(GuestMemory.Region region) {
        return (pages(region) + BITS_PER_WORD - 1) / BITS_PER_WORD;
    }

    /** Gives the guest its memory, with the log off; once. */
    void giveMemory() {
        regions.forEach(region -> setFlags(region, 0));
    }

    @Override
    public synchronized void start() {
        if (!started) {
            started = true;
            regions.forEach(region -> setFlags(region, KvmVm.LOG_DIRTY_PAGES));
        }
    }

    @Override
    public synchronized void stop() {
        if (started) {
            started = false;
            regions.forEach(region -> setFlags(region, 0));
        }
    }

    private void setFlags(GuestMemory.Region region, int flags) {
        vm.setUserMemoryRegion(region.slot(), flags, region.guestAddress(), region.lengthBytes(), region.hostAddress());
    }

    @Override
    public synchronized long harvest(PageBitmap into) {
        if (!started) {
            return 0;
        }
        long added = 0;
        for (int i = 0; i < bitmaps.length; i++) {
            added += harvest(regions.get(i), bitmaps[i], into);
        }
        return added;
    }

    private long harvest(GuestMemory.Region region, long bitmap, PageBitmap into) {
        NativeMemory.putInt(log, region.slot());
        NativeMemory.putLong(log + 8, bitmap);
        vm.dirtyLog(log, region.slot());
        long added = 0;
        // A word of ours is a word of theirs: a region starts at a multiple of 64 pages (0 or 3 GiB).
        int firstWord = (int) (region.firstPage() / BITS_PER_WORD);
        long pages = pages(region);
        for (long chunk = 0; chunk < pages; chunk += PAGES_PER_CLEAR) {
            long count = Math.min(PAGES_PER_CLEAR, pages - chunk);
            long chunkBits = bitmap + chunk / Byte.SIZE;
            long found = 0;
            long words = (count + BITS_PER_WORD - 1) / BITS_PER_WORD;
            for (long word = 0; word < words; word++) {
                long bits = NativeMemory.getLong(chunkBits + word * Long.BYTES);
                if (bits != 0) {
                    found |= bits;
                    added += into.orWord((int) (firstWord + chunk / BITS_PER_WORD + word), bits);
                }
            }
            if (found != 0) {
                // Protecting again comes before anybody reads the page: a write after the read is reported again.
                clear(region.slot(), chunk, count, chunkBits);
            }
        }
        return added;
    }

    /** KVM takes a first page that is a multiple of 64, and a count that is too unless it ends the slot. */
    private void clear(int slot, long firstPage, long count, long bits) {
        NativeMemory.putInt(clear, slot);
        NativeMemory.putInt(clear + 4, (int) count);
        NativeMemory.putLong(clear + 8, firstPage);
        NativeMemory.putLong(clear + 16, bits);
        vm.clearDirtyLog(clear, slot);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            started = false;
            for (long bitmap : bitmaps) {
                NativeMemory.free(bitmap);
            }
            NativeMemory.free(log);
            NativeMemory.free(clear);
        }
    }
}
