// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * A VM without KVM: guest memory, a thread that writes pages all the time and checks each page before it writes it
 * (the memory oracle), and a dirty log in which it notes its own writes. What the "guest" knows about its memory
 * travels in the state, so a restored guest checks every page against what it had written before the move.
 */
public final class FakeVm implements LiveVm, AutoCloseable {
    /** Written by saving the state, through {@link GuestMemory}, as a device would. */
    private static final long DEVICE_PAGE = 0;

    private static final int LONGS = GuestMemory.PAGE_BYTES / 8;

    private final GuestMemory memory;
    private final PageBitmap written;
    private final int[] versions;
    private final int writtenPages;
    private final long pauseBetweenWritesNs;
    private final SplittableRandom random;
    private final Object gate = new Object();
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
        this(memory, new int[writtenPages], 0, seed, pauseBetweenWritesNs);
    }

    /** A VM that goes on from a saved state. */
    public FakeVm(GuestMemory memory, byte[] state) {
        this(memory, ByteBuffer.wrap(state));
    }

    private FakeVm(GuestMemory memory, ByteBuffer state) {
        this(memory, readVersions(state), state.getLong(), state.getLong(), state.getLong());
    }

    private FakeVm(GuestMemory memory, int[] versions, long deviceCounter, long seed, long pauseBetweenWritesNs) {
        this.memory = memory;
        this.versions = versions;
        this.writtenPages = versions.length;
        this.deviceCounter = deviceCounter;
        this.pauseBetweenWritesNs = pauseBetweenWritesNs;
        random = new SplittableRandom(seed);
        written = new PageBitmap(memory.pages());
        guest.setDaemon(true);
        guest.start();
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
            int page = 1 + random.nextInt(writtenPages - 1);
            if (!holds(page)) {
                damage = "page " + page + " is not what the guest wrote, version " + versions[page];
                return;
            }
            versions[page]++;
            write(page);
            if (logging) {
                written.set(page);
            }
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

    /** Every fifth version is a zero page, every third page compresses, the rest does not. */
    private static long word(int page, int version, int index) {
        if (version % 5 == 0) {
            return 0;
        }
        long key = (long) page << 32 | version;
        return page % 3 == 0 ? key : (key + index) * 0x9e3779b97f4a7c15L * (index + 1);
    }

    private void write(int page) {
        long address = memory.pageAddress(page);
        for (int i = 0; i < LONGS; i++) {
            NativeMemory.putLong(address + i * 8L, word(page, versions[page], i));
        }
    }

    private boolean holds(int page) {
        long address = memory.pageAddress(page);
        for (int i = 0; i < LONGS; i++) {
            if (NativeMemory.getLong(address + i * 8L) != word(page, versions[page], i)) {
                return false;
            }
        }
        return true;
    }

    /** Checks every page; the VM must be paused. Empty when all is well. */
    public String findDamage() {
        if (!damage.isEmpty()) {
            return damage;
        }
        for (int page = 1; page < writtenPages; page++) {
            if (!holds(page)) {
                return "page " + page + " is not what the guest wrote, version " + versions[page];
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
        ByteBuffer state = ByteBuffer.allocate(4 + 4 * writtenPages + 24);
        state.putInt(writtenPages);
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
