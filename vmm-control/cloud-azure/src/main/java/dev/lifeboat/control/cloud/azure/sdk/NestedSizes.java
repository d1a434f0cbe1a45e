// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Sizes whose hosts can run virtual machines of their own: the Intel D and E families from version 3 to 5, by name. AMD
 * ({@code a}), Arm ({@code p}), confidential ({@code C}) and constrained ({@code E8-4s}) sizes are not among them. The
 * agent looks at {@code /dev/kvm} all the same.
 */
final class NestedSizes {
    private static final Pattern NESTED = Pattern.compile("Standard_[DE]\\d+d?s?_v([3-5])");

    /**
     * The first version of the families whose every processor is of that level: v3 hosts may be Haswell, v4 are Cascade
     * Lake or newer.
     */
    private static final Map<String, Integer> FIRST_VERSION = Map.of("x86-64-v4", 4);

    private NestedSizes() {}

    /** The family's version; empty when the size does not qualify. */
    static OptionalInt version(String size) {
        Matcher matcher = NESTED.matcher(size);
        return matcher.matches() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    /** @param cpuProfile one that is not known here suits every family: the target looks at its processor itself */
    static boolean suits(String size, String cpuProfile) {
        OptionalInt version = version(size);
        return version.isPresent() && version.getAsInt() >= FIRST_VERSION.getOrDefault(cpuProfile, 3);
    }
}
