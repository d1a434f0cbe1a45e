// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * What of its host's processor a new guest is shown: all of it, or no more than the instructions of a level of the x86-64
 * psABI (section 3.1.1), with what every processor of that level in the clouds has besides. A guest that was shown less can
 * move to more hosts. Protections against speculation and what KVM itself provides stay as the host has them; they still
 * decide where a VM can go.
 */
public enum CpuProfile {
    /** Everything: the fastest, for a fleet of one processor generation. */
    HOST("host"),
    /** SSE4.2 and POPCNT, and AES: Westmere and everything after it. */
    X86_64_V2("x86-64-v2"),
    /** AVX2, BMI2, FMA: Haswell, AMD Zen and everything after them. */
    X86_64_V3("x86-64-v3"),
    /** AVX-512 F, BW, CD, DQ, VL: Skylake-SP, AMD Zen 4 and everything after them. */
    X86_64_V4("x86-64-v4");

    private final String word;

    CpuProfile(String word) {
        this.word = word;
    }

    /** As it is written in a VM's description. */
    public String word() {
        return word;
    }

    /** @throws IllegalArgumentException naming those that there are */
    public static CpuProfile named(String word) {
        return Arrays.stream(values())
                .filter(profile -> profile.word.equals(word))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("\"cpuProfile\" is one of "
                        + Arrays.stream(values()).map(CpuProfile::word).collect(Collectors.joining(", ")) + ", not "
                        + word));
    }
}
