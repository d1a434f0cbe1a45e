// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import java.util.List;
import java.util.Optional;

/**
 * What an agent asks for one of its VMs: {@code POST /v1/targets/VM}.
 *
 * @param host that runs the VM
 * @param cpuProfile a {@link dev.lifeboat.vmm.CpuProfile} by its word; {@code host} unless set
 * @param deadlineMillis wall clock; present when the VM must leave by then
 * @param warm buy ahead of need
 * @param atRisk the VM's service level is in danger: no spot hosts
 * @param volume that goes with it: the target must be in its zone
 * @param zone that is needed for another reason
 * @param avoid hosts that were tried and did not take it
 */
record VmWish(
        String host,
        int memoryMiB,
        int vcpus,
        String cpuProfile,
        Optional<Long> deadlineMillis,
        String reason,
        boolean warm,
        boolean atRisk,
        Optional<String> volume,
        Optional<String> zone,
        List<String> avoid) {
    VmWish {
        if (host == null || memoryMiB < 1 || vcpus < 1) {
            throw new IllegalArgumentException("a wish for a target needs \"host\", \"memoryMiB\" and \"vcpus\"");
        }
        cpuProfile = cpuProfile == null ? "host" : cpuProfile;
        deadlineMillis = deadlineMillis == null ? Optional.empty() : deadlineMillis;
        reason = reason == null ? "" : reason;
        volume = volume == null ? Optional.empty() : volume;
        zone = zone == null ? Optional.empty() : zone;
        avoid = avoid == null ? List.of() : List.copyOf(avoid);
    }

    VmWish in(Optional<String> neededZone) {
        return new VmWish(
                host, memoryMiB, vcpus, cpuProfile, deadlineMillis, reason, warm, atRisk, volume, neededZone, avoid);
    }
}
