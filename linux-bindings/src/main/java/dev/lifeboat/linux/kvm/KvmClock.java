// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

/**
 * {@code struct kvm_clock_data}.
 *
 * @param clockNs what the guest's kvmclock shows
 * @param flags which of the others are valid: {@link KvmVm#CLOCK_REALTIME}, {@link KvmVm#CLOCK_HOST_TSC}
 * @param realtimeNs the host's CLOCK_REALTIME
 * @param hostTsc the host's time stamp counter
 */
public record KvmClock(long clockNs, int flags, long realtimeNs, long hostTsc) {
    public boolean has(int flag) {
        return (flags & flag) != 0;
    }
}
