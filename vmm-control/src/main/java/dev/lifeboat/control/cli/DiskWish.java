// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.vmm.VmmConfig;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What follows {@code --disk} on the command line. */
final class DiskWish {
    private static final Pattern NEW_DISK =
            Pattern.compile("(?:base=(?<base>.+),)?size=(?<size>[0-9]{1,12})(?<unit>[KMG]?)");
    private static final String READ_ONLY = ":ro";

    private DiskWish() {}

    /** @throws IllegalArgumentException saying what would fit */
    static VmmConfig.Disk parse(String text) {
        Matcher fresh = NEW_DISK.matcher(text);
        if (fresh.matches()) {
            return VmmConfig.Disk.ofSize(
                    sizeBytes(Long.parseLong(fresh.group("size")), fresh.group("unit")),
                    Optional.ofNullable(fresh.group("base")));
        }
        if (text.startsWith("size=") || text.startsWith("base=")) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no disk: write FILE, FILE:ro, size=20G or base=FILE,size=20G");
        }
        return text.endsWith(READ_ONLY)
                ? VmmConfig.Disk.at(text.substring(0, text.length() - READ_ONLY.length()), true)
                : VmmConfig.Disk.at(text, false);
    }

    private static long sizeBytes(long number, String unit) {
        long unitBytes = switch (unit) {
            case "K" -> 1L << 10;
            case "M" -> 1L << 20;
            case "G" -> 1L << 30;
            default -> 1;
        };
        if (number > Long.MAX_VALUE / unitBytes) {
            throw new IllegalArgumentException(
                    "a disk of " + number + unit + " is too large: its size must be a multiple of 512 below 8 EiB");
        }
        return number * unitBytes;
    }
}
