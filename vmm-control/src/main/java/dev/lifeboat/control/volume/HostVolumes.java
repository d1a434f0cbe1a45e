// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.VmmConfig;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * Takes volumes to this host and gives them away, one step at a time for each volume. Every operation may be repeated, from
 * whatever state an earlier one left. Any thread.
 */
public final class HostVolumes {
    private final Optional<VolumeMover> mover;
    private final HostDisks disks;
    private final Map<String, ReentrantLock> locks = new ConcurrentHashMap<>();

    /** @param mover without one, volumes are attached by hand, and stay where they are */
    public HostVolumes(Optional<VolumeMover> mover, HostDisks disks) {
        this.mover = mover;
        this.disks = disks;
    }

    /** Whether this host can give a volume to another. */
    public boolean canMove() {
        return mover.isPresent();
    }

    private interface Step {
        void run(long leftMs) throws InterruptedException;
    }

    private static final class Limit {
        private final long endNs;

        Limit(long limitMs) {
            endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        }

        long leftMs(String attempt, VmmConfig.Volume volume) {
            long left = TimeUnit.NANOSECONDS.toMillis(endNs - System.nanoTime());
            if (left <= 0) {
                throw new ControlException(
                        ExitCode.FAILED, "no time left to " + attempt + " volume " + volume.id() + "; try again");
            }
            return left;
        }
    }

    /** Attaches, checks and mounts. */
    public void take(VmmConfig.Volume volume, boolean mayFormat, long limitMs) throws InterruptedException {
        Limit limit = new Limit(limitMs);
        alone(volume, limitMs, left -> {
            if (disks.isMounted(volume)) {
                return;
            }
            String serial = mover.map(known -> known.attach(volume, left)).orElse(volume.serial());
            disks.mount(volume, serial, mayFormat, limit.leftMs("mount", volume));
        });
    }

    /**
     * Unmounts and detaches.
     *
     * @param unlessWanted asked once nobody else moves it; true leaves everything as it is
     */
    public void give(VmmConfig.Volume volume, BooleanSupplier unlessWanted, long limitMs) throws InterruptedException {
        Limit limit = new Limit(limitMs);
        alone(volume, limitMs, left -> {
            if (unlessWanted.getAsBoolean()) {
                return;
            }
            disks.unmount(volume, left);
            if (mover.isPresent()) {
                mover.get().detach(volume, limit.leftMs("detach", volume));
            }
        });
    }

    /** As {@link VolumeMover#detachElsewhere}. */
    public void detachElsewhere(VmmConfig.Volume volume, long limitMs) throws InterruptedException {
        alone(volume, limitMs, left -> mover.ifPresent(known -> known.detachElsewhere(volume, left)));
    }

    private void alone(VmmConfig.Volume volume, long limitMs, Step step) throws InterruptedException {
        ReentrantLock lock = locks.computeIfAbsent(volume.id(), id -> new ReentrantLock());
        Limit limit = new Limit(limitMs);
        if (!lock.tryLock(limitMs, TimeUnit.MILLISECONDS)) {
            throw new ControlException(
                    ExitCode.FAILED,
                    "volume " + volume.id() + " is being attached or detached on this host for longer than " + limitMs
                            + " ms; try again");
        }
        try {
            step.run(limit.leftMs("move", volume));
        } finally {
            lock.unlock();
        }
    }
}
