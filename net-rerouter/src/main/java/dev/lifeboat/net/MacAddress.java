// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * A 48-bit Ethernet address.
 *
 * @param value the address as a number; its most significant byte goes first on the wire
 */
public record MacAddress(long value) {
    public static final int LENGTH_BYTES = 6;
    public static final MacAddress BROADCAST = new MacAddress(0xffff_ffff_ffffL);
    static final MacAddress ZERO = new MacAddress(0);

    private static final Pattern TEXT = Pattern.compile("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}");
    private static final long GROUP_BIT = 1L << 40;

    public MacAddress {
        if (value >>> 48 != 0) {
            throw new IllegalArgumentException("more than 48 bits: " + Long.toHexString(value));
        }
    }

    /** Parses {@code 52:54:00:12:34:56}. */
    public static MacAddress parse(String text) {
        if (!TEXT.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no Ethernet address; write six bytes as in 52:54:00:12:34:56");
        }
        return new MacAddress(Long.parseLong(text.replace(":", ""), 16));
    }

    /** The address in the first six of {@code bytes}. */
    public static MacAddress of(byte[] bytes) {
        long value = 0;
        for (int i = 0; i < LENGTH_BYTES; i++) {
            value = value << 8 | bytes[i] & 0xff;
        }
        return new MacAddress(value);
    }

    /** Whether it names one station: neither a group nor the broadcast nor the zero address. */
    public boolean isStation() {
        return value != 0 && (value & GROUP_BIT) == 0;
    }

    public byte[] bytes() {
        byte[] bytes = new byte[LENGTH_BYTES];
        for (int i = 0; i < LENGTH_BYTES; i++) {
            bytes[i] = (byte) (value >>> 8 * (LENGTH_BYTES - 1 - i));
        }
        return bytes;
    }

    MacAddress requireStation() {
        if (!isStation()) {
            throw new IllegalArgumentException(this + " is no station's address (group, broadcast or zero)");
        }
        return this;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (byte part : bytes()) {
            text.append(text.isEmpty() ? "" : ":").append(String.format(Locale.ROOT, "%02x", part & 0xff));
        }
        return text.toString();
    }
}
