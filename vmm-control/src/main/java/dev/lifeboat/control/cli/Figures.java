// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import java.util.Locale;

/** Sizes and times as people read them. */
final class Figures {
    private static final String[] UNITS = {"", "K", "M", "G", "T", "P"};

    private Figures() {}

    static String bytes(long bytes) {
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < UNITS.length - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + "B" : String.format(Locale.ROOT, "%.1f%s", value, UNITS[unit]);
    }

    /** A moment, as the time since then. */
    static String age(long atMillis) {
        long seconds = Math.max(0, System.currentTimeMillis() - atMillis) / 1000;
        if (seconds < 120) {
            return seconds + "s";
        }
        if (seconds < 2 * 3600) {
            return seconds / 60 + "m";
        }
        return seconds < 2 * 86_400 ? seconds / 3600 + "h" : seconds / 86_400 + "d";
    }

    /** {@code 90s}, {@code 30m}, {@code 24h}, {@code 7d}, or 0. */
    static long millis(String option, String text) {
        if (text.equals("0")) {
            return 0;
        }
        if (text.matches("[0-9]{1,9}[smhd]")) {
            long number = Long.parseLong(text.substring(0, text.length() - 1));
            return switch (text.charAt(text.length() - 1)) {
                case 's' -> number * 1000;
                case 'm' -> number * 60_000;
                case 'h' -> number * 3_600_000;
                default -> number * 86_400_000;
            };
        }
        throw new ControlException(ExitCode.USAGE, option + " " + text + " is no time: write 90s, 30m, 24h, 7d, or 0");
    }
}
