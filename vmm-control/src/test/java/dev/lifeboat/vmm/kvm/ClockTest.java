// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.linux.kvm.KvmClock;
import dev.lifeboat.linux.kvm.KvmVm;
import org.junit.jupiter.api.Test;

class ClockTest {
    private static final int EXACT = KvmVm.CLOCK_TSC_STABLE | KvmVm.CLOCK_REALTIME | KvmVm.CLOCK_HOST_TSC;

    @Test
    void theGuestsCounterAdvancesByAsMuchAsItsKvmclock() {
        KvmClock source = new KvmClock(1_000_000_000L, EXACT, 0, 5_000_000);
        KvmClock target = new KvmClock(3_500_000_000L, EXACT, 0, 900_000_000_000L);
        long guestBefore = 5_000_000 + 777;

        long offset = new TscPlan(source, target, true).offset(777, 2_000_000);

        assertThat(900_000_000_000L + offset - guestBefore).isEqualTo(5_000_000_000L);
    }

    @Test
    void withoutTheKernelsWallClockOursDecides() {
        ClockState state = ClockState.of(new KvmClock(100, 0, 0, 0), 7_000);

        assertThat(state.wallClockNs()).isEqualTo(7_000);
        assertThat(state.toSet(false, 9_000).clockNs()).isEqualTo(2_100);
        assertThat(state.toSet(true, 9_000)).isEqualTo(new KvmClock(100, KvmVm.CLOCK_REALTIME, 7_000, 0));
    }

    @Test
    void theGuestsClockNeverGoesBack() {
        ClockState state = ClockState.of(new KvmClock(100, EXACT, 7_000, 1), 6_000);

        assertThat(state.wallClockNs()).isEqualTo(7_000);
        assertThat(state.toSet(false, 1_000).clockNs()).isEqualTo(100);
    }
}
