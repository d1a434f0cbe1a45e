// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Writes the few AML terms that our DSDT consists of (ACPI 6.5, chapter 20). Values of this class are finished pieces of
 * byte code; methods that nest take the pieces inside.
 */
final class AmlWriter {
    private AmlWriter() {}

    static byte[] scope(String name, byte[]... terms) {
        return withLength(new byte[] {0x10}, concat(name(name), concat(terms)));
    }

    static byte[] device(String name, byte[]... terms) {
        return withLength(new byte[] {0x5b, (byte) 0x82}, concat(name(name), concat(terms)));
    }

    static byte[] named(String name, byte[] value) {
        return concat(new byte[] {0x08}, name(name), value);
    }

    static byte[] packageOf(byte[]... elements) {
        return withLength(new byte[] {0x12}, concat(new byte[] {(byte) elements.length}, concat(elements)));
    }

    static byte[] integer(long value) {
        if (value == 0) {
            return new byte[] {0x00};
        } else if (value == 1) {
            return new byte[] {0x01};
        } else if (value <= 0xff) {
            return concat(new byte[] {0x0a}, littleEndian(value, 1));
        } else if (value <= 0xffff) {
            return concat(new byte[] {0x0b}, littleEndian(value, 2));
        }
        return concat(new byte[] {0x0c}, littleEndian(value, 4));
    }

    static byte[] string(String text) {
        return concat(new byte[] {0x0d}, text.getBytes(StandardCharsets.US_ASCII), new byte[1]);
    }

    /** The compressed form of a plug-and-play id such as {@code PNP0501}: three letters of 5 bits, four digits. */
    static byte[] eisaId(String id) {
        int letters = (id.charAt(0) - 0x40) << 10 | (id.charAt(1) - 0x40) << 5 | (id.charAt(2) - 0x40);
        int digits = Integer.parseInt(id.substring(3), 16);
        byte[] bytes = {0x0c, (byte) (letters >> 8), (byte) letters, (byte) (digits >> 8), (byte) digits};
        return bytes;
    }

    /** A buffer of resource descriptors with their end tag. */
    static byte[] resources(byte[]... descriptors) {
        byte[] body = concat(concat(descriptors), new byte[] {0x79, 0x00});
        return withLength(new byte[] {0x11}, concat(integer(body.length), body));
    }

    static byte[] portRange(int first, int count) {
        return concat(
                new byte[] {0x47, 0x01}, littleEndian(first, 2), littleEndian(first, 2), new byte[] {1, (byte) count});
    }

    static byte[] memory32Fixed(long address, long lengthBytes) {
        return concat(new byte[] {(byte) 0x86, 9, 0, 1}, littleEndian(address, 4), littleEndian(lengthBytes, 4));
    }

    /** An exclusive interrupt of a consumer: edge, active high. */
    static byte[] edgeInterrupt(int gsi) {
        return concat(new byte[] {(byte) 0x89, 6, 0, 0x03, 1}, littleEndian(gsi, 4));
    }

    static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static byte[] name(String name) {
        String padded = name.startsWith("\\") ? name : (name + "____").substring(0, 4);
        return padded.getBytes(StandardCharsets.US_ASCII);
    }

    /** PkgLength counts itself: one byte up to 63, else a first byte with the low four bits and 1 to 3 more. */
    private static byte[] withLength(byte[] opcode, byte[] body) {
        int extra = 0;
        int total = body.length + 1;
        while (total >= (extra == 0 ? 1 << 6 : 1 << (4 + 8 * extra))) {
            extra++;
            total = body.length + 1 + extra;
        }
        byte[] length = new byte[1 + extra];
        length[0] = (byte) (extra == 0 ? total : extra << 6 | total & 0xf);
        for (int i = 1; i <= extra; i++) {
            length[i] = (byte) (total >> (4 + 8 * (i - 1)));
        }
        return concat(opcode, length, body);
    }

    private static byte[] littleEndian(long value, int lengthBytes) {
        byte[] bytes = new byte[lengthBytes];
        for (int i = 0; i < lengthBytes; i++) {
            bytes[i] = (byte) (value >> (8 * i));
        }
        return bytes;
    }
}
