// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.kvm.KvmClock;
import dev.lifeboat.linux.kvm.KvmVm;

/**
 * The VM's kvmclock and the wall clock of the same instant. KVM tells the latter only where the host's counter is stable;
 * elsewhere it is our own stamp, taken right beside.
 *
 * @param flags as KVM gave them
 * @param wallClockNs since 1970
 */
public record ClockState(long clockNs, int flags, long hostTsc, long wallClockNs) {
    static ClockState of(KvmClock clock, long ownWallClockNs) {
        return new ClockState(
                clock.clockNs(),
                clock.flags(),
                clock.hostTsc(),
                clock.has(KvmVm.CLOCK_REALTIME) ? clock.realtimeNs() : ownWallClockNs);
    }

    KvmClock asSaved() {
        return new KvmClock(clockNs, flags, wallClockNs, hostTsc);
    }

    /**
     * What to set at the restore, so that the guest's clocks advance by the time the move took and its wall clock is
     * right at once. Its monotonic clock never goes back: a target whose wall clock is behind the source's adds nothing.
     *
     * @param kernelAdvances whether KVM_SET_CLOCK takes the wall clock and adds the difference itself
     */
    KvmClock toSet(boolean kernelAdvances, long wallClockNowNs) {
        if (kernelAdvances) {
            return new KvmClock(clockNs, KvmVm.CLOCK_REALTIME, wallClockNs, 0);
        }
        return new KvmClock(clockNs + Math.max(0, wallClockNowNs - wallClockNs), 0, 0, 0);
    }
}
