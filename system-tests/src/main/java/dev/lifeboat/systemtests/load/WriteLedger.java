// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * What was written to each key and what the server promised. Write number n goes to key {@code n mod keys}; its value
 * carries n and a checksum, so that a value read later says which write it is. One thread.
 */
final class WriteLedger {

    private final int valueBytes;
    private final long[] attempted;
    private final long[] acknowledged;
    private final long[] acknowledgedAtMs;

    /** How a value that was read compares with what was promised. */
    enum Verdict {
        /** The last acknowledged write, or one after it whose answer was never seen. */
        KEPT,
        /** Older than what was acknowledged, or nothing. */
        LOST,
        /** Never written, or damaged. */
        WRONG
    }

    WriteLedger(int keys, int valueBytes) {
        this.valueBytes = valueBytes;
        attempted = new long[keys];
        acknowledged = new long[keys];
        acknowledgedAtMs = new long[keys];
        Arrays.fill(attempted, -1);
        Arrays.fill(acknowledged, -1);
    }

    int keys() {
        return attempted.length;
    }

    String key(long number) {
        return "key:" + number % attempted.length;
    }

    String value(long number) {
        StringBuilder text = new StringBuilder(valueBytes + 32).append(number).append('-');
        CRC32C crc = new CRC32C();
        crc.update(text.toString().getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        text.append(Long.toHexString(crc.getValue())).append('-');
        // Filled with something that depends on the number, so that it does not compress to nothing on its way.
        long state = number * 0x9e3779b97f4a7c15L + 1;
        while (text.length() < valueBytes) {
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            text.append(Long.toHexString(state));
        }
        return text.toString();
    }

    void attempting(long number) {
        attempted[(int) (number % attempted.length)] = number;
    }

    void acknowledged(long number, long nowMs) {
        int key = (int) (number % attempted.length);
        acknowledged[key] = number;
        acknowledgedAtMs[key] = nowMs;
    }

    boolean wasAcknowledged(int key) {
        return acknowledged[key] >= 0;
    }

    long acknowledgedAtMs(int key) {
        return acknowledgedAtMs[key];
    }

    /** Judges a value read from {@code key} after all writes attempted so far. */
    Verdict judge(int key, String value) {
        if (value == null) {
            return acknowledged[key] < 0 ? Verdict.KEPT : Verdict.LOST;
        }
        long number;
        try {
            number = Long.parseLong(value.substring(0, Math.max(0, value.indexOf('-'))));
        } catch (NumberFormatException e) {
            return Verdict.WRONG;
        }
        if (number < 0 || number % attempted.length != key || number > attempted[key] || !value.equals(value(number))) {
            return Verdict.WRONG;
        }
        return number >= acknowledged[key] ? Verdict.KEPT : Verdict.LOST;
    }
}
