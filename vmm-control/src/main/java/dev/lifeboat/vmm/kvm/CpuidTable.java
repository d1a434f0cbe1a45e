// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.kvm.KvmStruct;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A list of {@code struct kvm_cpuid_entry2} that can be looked up and changed. Not thread-safe. */
final class CpuidTable {
    static final int EAX = 12;
    static final int EBX = 16;
    static final int ECX = 20;
    static final int EDX = 24;

    private static final int FUNCTION = 0;
    private static final int INDEX = 4;
    private static final int FLAGS = 8;
    private static final int SIGNIFICANT_INDEX = 1;

    private ByteBuffer entries;

    CpuidTable(byte[] entries) {
        this.entries = ByteBuffer.wrap(entries.clone()).order(ByteOrder.LITTLE_ENDIAN);
    }

    byte[] toBytes() {
        return entries.array().clone();
    }

    /** A register of a leaf, 0 when the leaf is not there: what hardware would say of an unknown feature. */
    int get(int function, int index, int register) {
        int at = find(function, index);
        return at < 0 ? 0 : entries.getInt(at + register);
    }

    boolean has(int function, int index) {
        return find(function, index) >= 0;
    }

    /** Sets a register of a leaf that is there; nothing happens when it is not. */
    void put(int function, int index, int register, int value) {
        int at = find(function, index);
        if (at >= 0) {
            entries.putInt(at + register, value);
        }
    }

    void clear(int function, int index, int register, int bits) {
        put(function, index, register, get(function, index, register) & ~bits);
    }

    void set(int function, int index, int register, int bits) {
        put(function, index, register, get(function, index, register) | bits);
    }

    void replaceField(int function, int index, int register, int shift, int width, int value) {
        int mask = (int) ((1L << width) - 1) << shift;
        put(function, index, register, get(function, index, register) & ~mask | value << shift & mask);
    }

    /** Removes every entry of a leaf. */
    void remove(int function) {
        ByteBuffer kept = ByteBuffer.allocate(entries.capacity()).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < entries.capacity(); at += KvmStruct.CPUID_ENTRY) {
            if (entries.getInt(at + FUNCTION) != function) {
                kept.put(entries.array(), at, KvmStruct.CPUID_ENTRY);
            }
        }
        byte[] bytes = new byte[kept.position()];
        kept.flip().get(bytes);
        entries = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Adds an entry whose index matters. */
    void add(int function, int index, int eax, int ebx, int ecx, int edx) {
        ByteBuffer longer =
                ByteBuffer.allocate(entries.capacity() + KvmStruct.CPUID_ENTRY).order(ByteOrder.LITTLE_ENDIAN);
        longer.put(entries.array());
        int at = entries.capacity();
        longer.putInt(at + FUNCTION, function).putInt(at + INDEX, index).putInt(at + FLAGS, SIGNIFICANT_INDEX);
        longer.putInt(at + EAX, eax).putInt(at + EBX, ebx).putInt(at + ECX, ecx).putInt(at + EDX, edx);
        entries = longer;
    }

    /** The vendor string of leaf 0, for example {@code AuthenticAMD}. */
    String vendor() {
        ByteBuffer text = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
        text.putInt(get(0, 0, EBX)).putInt(get(0, 0, EDX)).putInt(get(0, 0, ECX));
        return new String(text.array(), StandardCharsets.US_ASCII);
    }

    private int find(int function, int index) {
        for (int at = 0; at < entries.capacity(); at += KvmStruct.CPUID_ENTRY) {
            if (entries.getInt(at + FUNCTION) == function
                    && ((entries.getInt(at + FLAGS) & SIGNIFICANT_INDEX) == 0 || entries.getInt(at + INDEX) == index)) {
                return at;
            }
        }
        return -1;
    }
}
