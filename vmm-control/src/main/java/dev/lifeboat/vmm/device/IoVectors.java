// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.GuestMemory;

/**
 * An array of {@code struct iovec} that point into guest memory, for readv and its kin, with the guest address of each
 * beside it so that what the kernel wrote can be marked. Allocated once; used by one device thread.
 */
final class IoVectors implements AutoCloseable {
    private static final int IOVEC_BYTES = 16;

    private final GuestMemory memory;
    private final long array;
    private final long[] guestAddresses;
    private int count;

    IoVectors(GuestMemory memory, int capacity) {
        this.memory = memory;
        array = NativeMemory.allocate((long) capacity * IOVEC_BYTES);
        guestAddresses = new long[capacity];
    }

    int capacity() {
        return guestAddresses.length;
    }

    int count() {
        return count;
    }

    void clear() {
        count = 0;
    }

    /** Forgets the entries from {@code newCount} on. */
    void truncate(int newCount) {
        count = newCount;
    }

    /** Appends a piece of RAM; the caller has translated it. */
    void append(long guestAddress, long hostAddress, long lengthBytes) {
        long entry = array + (long) count * IOVEC_BYTES;
        NativeMemory.putLong(entry, hostAddress);
        NativeMemory.putLong(entry + 8, lengthBytes);
        guestAddresses[count++] = guestAddress;
    }

    /** Appends memory of our own, which is never marked. */
    void appendOwn(long hostAddress, long lengthBytes) {
        append(-1, hostAddress, lengthBytes);
    }

    /** The address of entry {@code index}, what readv takes. */
    long address(int index) {
        return array + (long) index * IOVEC_BYTES;
    }

    long guestAddress(int index) {
        return guestAddresses[index];
    }

    long hostAddress(int index) {
        return NativeMemory.getLong(address(index));
    }

    long lengthBytes(int index) {
        return NativeMemory.getLong(address(index) + 8);
    }

    /** Takes {@code bytes} off the front of the entries from {@code first} on; emptied entries stay, with length 0. */
    void trimFront(int first, long bytes) {
        long left = bytes;
        for (int i = first; left > 0; i++) {
            long piece = Math.min(left, lengthBytes(i));
            NativeMemory.putLong(address(i), hostAddress(i) + piece);
            NativeMemory.putLong(address(i) + 8, lengthBytes(i) - piece);
            guestAddresses[i] += piece;
            left -= piece;
        }
    }

    /** Takes {@code bytes} off the back of the entries {@code [first, end)}. */
    void trimBack(int first, int end, long bytes) {
        long left = bytes;
        for (int i = end - 1; left > 0 && i >= first; i--) {
            long piece = Math.min(left, lengthBytes(i));
            NativeMemory.putLong(address(i) + 8, lengthBytes(i) - piece);
            left -= piece;
        }
    }

    /** Marks the first {@code bytes} of the entries from {@code first} on as written, <em>after</em> they were. */
    void markWritten(int first, long bytes) {
        long left = bytes;
        for (int i = first; left > 0; i++) {
            long piece = Math.min(left, lengthBytes(i));
            memory.markWritten(guestAddresses[i], piece);
            left -= piece;
        }
    }

    /** Copies out what the entries from {@code first} on hold. */
    void read(int first, long into, long bytes) {
        long done = 0;
        for (int i = first; done < bytes; i++) {
            long piece = Math.min(bytes - done, lengthBytes(i));
            NativeMemory.copy(hostAddress(i), into + done, piece);
            done += piece;
        }
    }

    /** Copies into the entries from {@code first} on, and marks them. */
    void write(int first, long from, long bytes) {
        long done = 0;
        for (int i = first; done < bytes; i++) {
            long piece = Math.min(bytes - done, lengthBytes(i));
            NativeMemory.copy(from + done, hostAddress(i), piece);
            done += piece;
        }
        markWritten(first, bytes);
    }

    /** Writes one byte at {@code offset} from the start of entry {@code first}, and marks it. */
    void putByte(int first, long offset, byte value) {
        long left = offset;
        int i = first;
        while (left >= lengthBytes(i)) {
            left -= lengthBytes(i++);
        }
        NativeMemory.putByte(hostAddress(i) + left, value);
        memory.markWritten(guestAddresses[i] + left, 1);
    }

    /** Moves the entries from {@code first} on to the front. */
    void compact(int first) {
        NativeMemory.copy(address(first), array, (long) (count - first) * IOVEC_BYTES);
        System.arraycopy(guestAddresses, first, guestAddresses, 0, count - first);
        count -= first;
    }

    @Override
    public void close() {
        NativeMemory.free(array);
    }
}
