// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * A VM without KVM: guest memory, perhaps disks, a thread that writes pages and blocks all the time and checks each
 * before it writes it (the memory oracle), and a dirty log in which it notes its own writes. What the "guest" knows about its memory
 * travels in the state, so a restored guest checks every page against what it had written before the move.
 */
public final class FakeVm implements LiveVm, AutoCloseable {
    /** Written by saving the state, through {@link GuestMemory}, as a device would. */
    private static final long DEVICE_PAGE = 0;

    private static final int LONGS = GuestMemory.PAGE_BYTES / 8;

    private final GuestMemory memory;
    private final List<FakeDisk> disks;
    private final PageBitmap written;
    /** Of the pages of memory that the guest uses, then of all blocks of the disks. */
    private final int[] versions;

    private final int writtenPages;
    /** May be changed while the guest runs. */
    volatile long pauseBetweenWritesNs;

    private final SplittableRandom random;
    private final Object gate = new Object();
    volatile boolean busy;
    private volatile boolean logging;
    private volatile boolean pauseWanted = true;
    private volatile boolean closed;
    private boolean atRest = true;
    private long deviceCounter;
    private volatile long writes;
    private volatile String damage = "";
    private final Thread guest = new Thread(this::runGuest, "fake-guest");

    /** A fresh VM, paused; the guest uses the first {@code writtenPages} pages of its memory. */
    public FakeVm(GuestMemory memory, int writtenPages, long seed, long pauseBetweenWritesNs) {
        this(memory, List.of(), writtenPages, seed, pauseBetweenWritesNs);
    }

    /** The same with disks, all of whose blocks the guest uses. */
    public FakeVm(GuestMemory memory, List<FakeDisk> disks, int writtenPages, long seed, long pauseBetweenWritesNs) {
        this(memory, disks, new int[writtenPages + blocks(disks)], 0, seed, pauseBetweenWritesNs);
    }

    /** A VM that goes on from a saved state. */
    public FakeVm(GuestMemory memory, byte[] state) {
        this(memory, List.of(), state);
    }

    public FakeVm(GuestMemory memory, List<FakeDisk> disks, byte[] state) {
        this(memory, disks, ByteBuffer.wrap(state));
    }

    private FakeVm(GuestMemory memory, List<FakeDisk> disks, ByteBuffer state) {
        this(memory, disks, readVersions(state), state.getLong(), state.getLong(), state.getLong());
    }

    private FakeVm(
            GuestMemory memory,
            List<FakeDisk> disks,
            int[] versions,
            long deviceCounter,
            long seed,
            long pauseBetweenWritesNs) {
        this.memory = memory;
        this.disks = disks;
        this.versions = versions;
        this.writtenPages = versions.length - blocks(disks);
        this.deviceCounter = deviceCounter;
        this.pauseBetweenWritesNs = pauseBetweenWritesNs;
        random = new SplittableRandom(seed);
        written = new PageBitmap(memory.pages());
        guest.setDaemon(true);
        guest.start();
    }

    private static int blocks(List<FakeDisk> disks) {
        return (int) disks.stream().mapToLong(FakeDisk::blocks).sum();
    }

    private static int[] readVersions(ByteBuffer state) {
        int[] versions = new int[state.getInt()];
        for (int i = 0; i < versions.length; i++) {
            versions[i] = state.getInt();
        }
        return versions;
    }

    private void runGuest() {
        while (!closed) {
            if (pauseWanted) {
                synchronized (gate) {
                    atRest = true;
                    gate.notifyAll();
                    while (pauseWanted && !closed) {
                        waitOnGate();
                    }
                    atRest = false;
                }
                continue;
            }
            int page = 1 + random.nextInt(versions.length - 1);
            if (!holds(page)) {
                damage = describe(page);
                return;
            }
            versions[page]++;
            write(page);
            writes++;
            if (pauseBetweenWritesNs > 0) {
                LockSupport.parkNanos(pauseBetweenWritesNs);
            }
        }
    }

    private void waitOnGate() {
        try {
            gate.wait(1_000);
        } catch (InterruptedException e) {
            closed = true;
        }
    }

    /**
     * Every fifth version is a zero page, every third page compresses, the rest does not; and of every fourth page a
     * version changes a few words only.
     */
    private static long word(int page, int version, int index) {
        boolean sparse = page % 4 == 1;
        if (version % (sparse ? 50 : 5) == 0) {
            return 0;
        }
        if (sparse) {
            int writer = index % 32 == version % 32 ? version : 0;
            return ((long) page << 32 | writer << 9 | index) * 0x9e3779b97f4a7c15L;
        }
        long key = (long) page << 32 | version;
        return page % 3 == 0 ? key : (key + index) * 0x9e3779b97f4a7c15L * (index + 1);
    }

    private void write(int page) {
        if (page >= writtenPages) {
            FakeDisk disk = diskOf(page);
            disk.write(blockOf(page), i -> word(page, versions[page], i));
            return;
        }
        long address = memory.pageAddress(page);
        for (int i = 0; i < LONGS; i++) {
            NativeMemory.putLong(address + i * 8L, word(page, versions[page], i));
        }
        if (logging) {
            written.set(page);
        }
    }

    private boolean holds(int page) {
        for (int i = 0; i < LONGS; i++) {
            if (present(page, i) != expected(page, i)) {
                return false;
            }
        }
        return true;
    }

    private long present(int page, int index) {
        return page >= writtenPages
                ? diskOf(page).word(blockOf(page), index)
                : NativeMemory.getLong(memory.pageAddress(page) + index * 8L);
    }

    private long expected(int page, int index) {
        return page >= writtenPages && versions[page] == 0
                ? diskOf(page).baseWord(blockOf(page), index)
                : word(page, versions[page], index);
    }

    private FakeDisk diskOf(int page) {
        return disks.get((int) ((page - writtenPages) / disks.get(0).blocks()));
    }

    /** All disks have one size. */
    private long blockOf(int page) {
        return (page - writtenPages) % disks.get(0).blocks();
    }

    private String describe(int page) {
        return (page < writtenPages
                        ? "page " + page
                        : "block " + blockOf(page) + " of disk " + disks.indexOf(diskOf(page)))
                + " is not what the guest wrote, version " + versions[page];
    }

    /** Checks every page; the VM must be paused. Empty when all is well. */
    public String findDamage() {
        if (!damage.isEmpty()) {
            return damage;
        }
        for (int page = 1; page < versions.length; page++) {
            if (!holds(page)) {
                return describe(page);
            }
        }
        if (memory.getLong(DEVICE_PAGE) != deviceCounter) {
            return "the device's page holds " + memory.getLong(DEVICE_PAGE) + ", not " + deviceCounter;
        }
        return "";
    }

    public long writes() {
        return writes;
    }

    public boolean isRunning() {
        return !pauseWanted && !closed;
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public List<StreamedDisk> disks() {
        return List.copyOf(disks);
    }

    @Override
    public DirtyLog dirtyLog() {
        return new DirtyLog() {
            @Override
            public void start() {
                logging = true;
            }

            @Override
            public void stop() {
                logging = false;
            }

            @Override
            public long harvest(PageBitmap into) {
                return written.drainTo(into);
            }
        };
    }

    @Override
    public boolean isBusy() {
        return busy;
    }

    @Override
    public void pause() {
        pauseWanted = true;
        synchronized (gate) {
            while (!atRest && guest.isAlive()) {
                waitOnGate();
            }
        }
    }

    @Override
    public void resume() {
        synchronized (gate) {
            pauseWanted = false;
            gate.notifyAll();
        }
    }

    @Override
    public byte[] saveState() {
        if (!pauseWanted) {
            throw new IllegalStateException("saving a running VM");
        }
        deviceCounter++;
        memory.putLong(DEVICE_PAGE, deviceCounter);
        ByteBuffer state = ByteBuffer.allocate(4 + 4 * versions.length + 24);
        state.putInt(versions.length);
        for (int version : versions) {
            state.putInt(version);
        }
        state.putLong(deviceCounter).putLong(random.split().nextLong()).putLong(pauseBetweenWritesNs);
        return state.array();
    }

    @Override
    public void close() {
        pause();
        closed = true;
        resume();
        try {
            guest.join(5_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
