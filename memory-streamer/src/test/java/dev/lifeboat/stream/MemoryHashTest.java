// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MemoryHashTest {
    @Test
    void aHoleAndAZeroPageHashAlikeAndReadingHolesAllocatesNothing() {
        try (GuestMemory a = new GuestMemory(64 * 4096);
                GuestMemory b = new GuestMemory(64 * 4096)) {
            a.putLong(5 * 4096, 42);
            b.putLong(5 * 4096, 42);
            b.putLong(9 * 4096, 1);
            b.putLong(9 * 4096, 0);
            assertThat(MemoryHash.of(a)).isEqualTo(MemoryHash.of(b));
            assertThat(DataPages.of(a).count()).isEqualTo(1);
        }
    }

    @Test
    void aChangedBitAMovedPageAndSwappedPagesAllChangeTheHash() {
        try (GuestMemory a = new GuestMemory(64 * 4096)) {
            a.putLong(5 * 4096 + 8, 42);
            a.putLong(6 * 4096 + 8, 43);
            long original = MemoryHash.of(a);
            a.putLong(5 * 4096 + 8, 43);
            a.putLong(6 * 4096 + 8, 42);
            long swapped = MemoryHash.of(a);
            a.putLong(5 * 4096 + 8, 42);
            a.putLong(6 * 4096 + 8, 43);
            a.putByte(4096 * 5 + 4095, (byte) 1);
            long bit = MemoryHash.of(a);
            a.putByte(4096 * 5 + 4095, (byte) 0);
            a.putLong(6 * 4096 + 8, 0);
            a.putLong(7 * 4096 + 8, 43);
            long moved = MemoryHash.of(a);
            assertThat(java.util.Set.of(original, swapped, bit, moved)).hasSize(4);
        }
    }
}
