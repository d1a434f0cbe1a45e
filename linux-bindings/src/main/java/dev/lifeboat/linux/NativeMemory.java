// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import sun.misc.Unsafe;

/**
 * Raw memory by address. The only class that knows {@code sun.misc.Unsafe}, so that the foreign memory API can take
 * its place. Little-endian (x86-64). Nothing here checks bounds: callers hold an address they own.
 */
public final class NativeMemory {
    private static final Unsafe UNSAFE;
    private static final long BYTE_ARRAY_BASE;
    private static final long BUFFER_ADDRESS_OFFSET;

    static {
        try {
            Field field = Unsafe.class.getDeclaredField("theUnsafe");
            field.setAccessible(true);
            UNSAFE = (Unsafe) field.get(null);
            BYTE_ARRAY_BASE = UNSAFE.arrayBaseOffset(byte[].class);
            BUFFER_ADDRESS_OFFSET = UNSAFE.objectFieldOffset(java.nio.Buffer.class.getDeclaredField("address"));
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private NativeMemory() {}

    /** Allocates zeroed memory, 8-byte aligned at least; {@link #free} it. */
    public static long allocate(long lengthBytes) {
        long address = UNSAFE.allocateMemory(lengthBytes);
        UNSAFE.setMemory(address, lengthBytes, (byte) 0);
        return address;
    }

    public static void free(long address) {
        UNSAFE.freeMemory(address);
    }

    public static byte getByte(long address) {
        return UNSAFE.getByte(address);
    }

    public static void putByte(long address, byte value) {
        UNSAFE.putByte(address, value);
    }

    public static short getShort(long address) {
        return UNSAFE.getShort(address);
    }

    public static void putShort(long address, short value) {
        UNSAFE.putShort(address, value);
    }

    public static int getInt(long address) {
        return UNSAFE.getInt(address);
    }

    public static void putInt(long address, int value) {
        UNSAFE.putInt(address, value);
    }

    public static long getLong(long address) {
        return UNSAFE.getLong(address);
    }

    public static void putLong(long address, long value) {
        UNSAFE.putLong(address, value);
    }

    public static void copy(long from, long to, long lengthBytes) {
        UNSAFE.copyMemory(from, to, lengthBytes);
    }

    public static void copy(byte[] from, int fromIndex, long to, int lengthBytes) {
        UNSAFE.copyMemory(from, BYTE_ARRAY_BASE + fromIndex, null, to, lengthBytes);
    }

    public static void copy(long from, byte[] to, int toIndex, int lengthBytes) {
        UNSAFE.copyMemory(null, from, to, BYTE_ARRAY_BASE + toIndex, lengthBytes);
    }

    public static void fill(long address, long lengthBytes, byte value) {
        UNSAFE.setMemory(address, lengthBytes, value);
    }

    /** Loads and stores before this call become visible before stores after it. */
    public static void releaseFence() {
        UNSAFE.storeFence();
    }

    /** Loads before this call are done before loads and stores after it. */
    public static void acquireFence() {
        UNSAFE.loadFence();
    }

    /** Orders everything, as {@code mfence} does: needed between a store and a later load of another address. */
    public static void fullFence() {
        UNSAFE.fullFence();
    }

    /** The address of a direct buffer's byte 0. */
    public static long addressOf(ByteBuffer direct) {
        if (!direct.isDirect()) {
            throw new IllegalArgumentException("a heap buffer has no address");
        }
        return UNSAFE.getLong(direct, BUFFER_ADDRESS_OFFSET);
    }
}
