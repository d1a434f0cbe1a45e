// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.lease;

import dev.lifeboat.stream.DirtyLog;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.StreamedDisk;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * A VM whose guest runs only while it is wanted <em>and</em> allowed: streaming, an evacuation and users say the one, the
 * lease the other. Thread-safe.
 */
final class LeasedVm implements LiveVm {
    private final LiveVm vm;
    private final Runnable firstStart;
    private final BooleanSupplier allowed;
    private boolean wanted;
    private boolean started;
    private boolean running;

    /**
     * @param firstStart what {@code resume} is for a VM that never ran
     * @param allowed whether the guest may run at this instant
     */
    LeasedVm(LiveVm vm, Runnable firstStart, BooleanSupplier allowed) {
        this.vm = vm;
        this.firstStart = firstStart;
        this.allowed = allowed;
    }

    /** Makes what is so what it should be. */
    synchronized void enforce() {
        boolean may = allowed.getAsBoolean();
        if (running && !may) {
            vm.pause();
            running = false;
        } else if (!running && wanted && may) {
            if (started) {
                vm.resume();
            } else {
                firstStart.run();
                started = true;
            }
            running = true;
        }
    }

    @Override
    public synchronized void pause() {
        wanted = false;
        if (started) {
            vm.pause();
        }
        running = false;
    }

    @Override
    public synchronized void resume() {
        wanted = true;
        enforce();
    }

    @Override
    public boolean isBusy() {
        return vm.isBusy();
    }

    @Override
    public GuestMemory memory() {
        return vm.memory();
    }

    @Override
    public DirtyLog dirtyLog() {
        return vm.dirtyLog();
    }

    @Override
    public List<StreamedDisk> disks() {
        return vm.disks();
    }

    @Override
    public byte[] saveState() {
        return vm.saveState();
    }
}
