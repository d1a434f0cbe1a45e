// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * The attributes of one netlink message or of one nested attribute, by type; the last of equal types counts.
 * Immutable. A length that does not fit its surroundings ends the parsing with an {@link IllegalArgumentException}.
 */
public final class NetlinkAttributes {
    private final Map<Integer, byte[]> values;

    private NetlinkAttributes(Map<Integer, byte[]> values) {
        this.values = Collections.unmodifiableMap(values);
    }

    /** Parses {@code bytes} from {@code offset} to its end. */
    public static NetlinkAttributes parse(byte[] bytes, int offset) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        Map<Integer, byte[]> values = new TreeMap<>();
        int position = offset;
        while (position + Rtnetlink.NLATTR_BYTES <= bytes.length) {
            int lengthBytes = Short.toUnsignedInt(buffer.getShort(position));
            int type = Short.toUnsignedInt(buffer.getShort(position + 2)) & Rtnetlink.NLA_TYPE_MASK;
            if (lengthBytes < Rtnetlink.NLATTR_BYTES || position + lengthBytes > bytes.length) {
                throw new IllegalArgumentException("netlink attribute " + type + " at byte " + position + " claims "
                        + lengthBytes + " bytes of " + (bytes.length - position));
            }
            byte[] value = new byte[lengthBytes - Rtnetlink.NLATTR_BYTES];
            buffer.get(position + Rtnetlink.NLATTR_BYTES, value);
            values.put(type, value);
            position += align(lengthBytes);
        }
        return new NetlinkAttributes(values);
    }

    public Optional<byte[]> bytes(int type) {
        return Optional.ofNullable(values.get(type)).map(byte[]::clone);
    }

    /** A number of 1, 2 or 4 bytes in the machine's order. */
    public OptionalInt number(int type) {
        byte[] value = values.get(type);
        if (value == null || value.length == 0 || value.length > 4) {
            return OptionalInt.empty();
        }
        int number = 0;
        for (int i = value.length - 1; i >= 0; i--) {
            number = number << 8 | value[i] & 0xff;
        }
        return OptionalInt.of(number);
    }

    /** Text without its terminating zero. */
    public Optional<String> text(int type) {
        return Optional.ofNullable(values.get(type)).map(value -> {
            int length = value.length > 0 && value[value.length - 1] == 0 ? value.length - 1 : value.length;
            return new String(value, 0, length, StandardCharsets.UTF_8);
        });
    }

    /** The attributes inside attribute {@code type}; none when it is absent. */
    public NetlinkAttributes nested(int type) {
        return parse(values.getOrDefault(type, new byte[0]), 0);
    }

    static int align(int lengthBytes) {
        return (lengthBytes + 3) & ~3;
    }
}
