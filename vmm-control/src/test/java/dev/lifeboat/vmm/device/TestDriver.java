// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.GuestMemory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * A guest's driver in a few lines: it sets a device up through its registers and builds rings in guest memory. It
 * notifies only when the device asks for it, and so finds lost notifications. One test thread.
 */
final class TestDriver {
    static final int ACKNOWLEDGE = 1;
    static final int DRIVER = 2;
    static final int DRIVER_OK = 4;
    static final int FEATURES_OK = 8;
    static final int NEEDS_RESET = 0x40;

    private static final long RINGS = 0x10_0000;
    private static final long RINGS_PER_QUEUE = 0x4000;

    final GuestMemory memory;
    final List<Queue> queues = new ArrayList<>();
    VirtioMmioTransport transport;
    long features;

    TestDriver(GuestMemory memory, VirtioMmioTransport transport) {
        this.memory = memory;
        this.transport = transport;
    }

    int read(int register) {
        return (int) transport.read(register, 4);
    }

    void write(int register, int value) {
        transport.write(register, 4, value);
    }

    int status() {
        return read(0x70);
    }

    long offeredFeatures() {
        write(0x14, 0);
        long low = read(0x10) & 0xffff_ffffL;
        write(0x14, 1);
        return low | (read(0x10) & 0xffff_ffffL) << 32;
    }

    /** Goes through the whole set-up of virtio 1.2, 3.1.1, accepting what is offered and in {@code wanted}. */
    TestDriver setUp(long wanted, int queueSize) {
        negotiate(wanted);
        for (int i = 0; i < transport.queueCount(); i++) {
            setUpQueue(i, Math.min(queueSize, queueMax(i)));
        }
        write(0x70, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
        return this;
    }

    void negotiate(long wanted) {
        write(0x70, 0);
        write(0x70, ACKNOWLEDGE);
        write(0x70, ACKNOWLEDGE | DRIVER);
        features = offeredFeatures() & (wanted | 1L << 32);
        write(0x24, 0);
        write(0x20, (int) features);
        write(0x24, 1);
        write(0x20, (int) (features >>> 32));
        write(0x70, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        queues.clear();
    }

    private int queueMax(int index) {
        write(0x30, index);
        return read(0x34);
    }

    Queue setUpQueue(int index, int size) {
        Queue queue = new Queue(index, RINGS + index * RINGS_PER_QUEUE, size);
        write(0x30, index);
        write(0x38, size);
        write(0x80, (int) queue.descriptors);
        write(0x84, 0);
        write(0x90, (int) queue.available);
        write(0x94, 0);
        write(0xa0, (int) queue.used);
        write(0xa4, 0);
        write(0x44, 1);
        queues.add(queue);
        return queue;
    }

    /** A piece of a buffer. */
    record Piece(long address, int lengthBytes, boolean writable) {}

    /** A finished buffer. */
    record Used(int head, int lengthBytes) {}

    final class Queue {
        final int index;
        final int size;
        final long descriptors;
        final long available;
        final long used;
        private final Deque<Integer> free = new ArrayDeque<>();
        private final int[] chainLength;
        int availableIndex;
        int usedIndex;

        Queue(int index, long base, int size) {
            this.index = index;
            this.size = size;
            descriptors = base;
            available = base + 16L * size;
            used = (available + 4 + 2L * size + 2 + 4095) & -4096L;
            chainLength = new int[size];
            for (int i = 0; i < size; i++) {
                free.add(i);
            }
            memory.write(base, new byte[(int) RINGS_PER_QUEUE], 0, (int) RINGS_PER_QUEUE);
        }

        int freeDescriptors() {
            return free.size();
        }

        /** The descriptor that the next buffer starts at. */
        int nextFree() {
            return free.getFirst();
        }

        void descriptor(int at, long address, int lengthBytes, int flags, int next) {
            describe(descriptors + 16L * at, address, lengthBytes, flags, next);
        }

        void describe(long entry, long address, int lengthBytes, int flags, int next) {
            memory.putLong(entry, address);
            memory.putInt(entry + 8, lengthBytes);
            memory.putShort(entry + 12, (short) flags);
            memory.putShort(entry + 14, (short) next);
        }

        /** Makes a buffer available, and notifies when the device wants to know; returns its head. */
        int add(Piece... pieces) {
            int head = prepare(pieces);
            publish(head);
            return head;
        }

        int prepare(Piece... pieces) {
            int[] at = new int[pieces.length];
            for (int i = 0; i < at.length; i++) {
                at[i] = free.remove();
            }
            for (int i = 0; i < at.length; i++) {
                boolean last = i == at.length - 1;
                descriptor(
                        at[i],
                        pieces[i].address(),
                        pieces[i].lengthBytes(),
                        (last ? 0 : 1) | (pieces[i].writable() ? 2 : 0),
                        last ? 0 : at[i + 1]);
            }
            chainLength[at[0]] = at.length;
            return at[0];
        }

        void publish(int head) {
            memory.putShort(available + 4 + 2L * (availableIndex % size), (short) head);
            int old = availableIndex;
            availableIndex = (availableIndex + 1) & 0xffff;
            NativeMemory.releaseFence();
            memory.putShort(available + 2, (short) availableIndex);
            NativeMemory.fullFence();
            if (wantsNotification(old)) {
                write(0x50, index);
            }
        }

        private boolean wantsNotification(int old) {
            if ((features & 1L << 29) == 0) {
                return (memory.getShort(used) & 1) == 0;
            }
            int event = memory.getShort(used + 4 + 8L * size) & 0xffff;
            return ((availableIndex - event - 1) & 0xffff) < ((availableIndex - old) & 0xffff);
        }

        boolean hasUsed() {
            boolean has = (memory.getShort(used + 2) & 0xffff) != usedIndex;
            NativeMemory.acquireFence();
            return has;
        }

        /** Takes the next finished buffer; asks for an interrupt at the one after. */
        Used take() {
            long element = used + 4 + 8L * (usedIndex % size);
            Used taken = new Used(memory.getInt(element), memory.getInt(element + 4));
            usedIndex = (usedIndex + 1) & 0xffff;
            memory.putShort(available + 4 + 2L * size, (short) usedIndex);
            NativeMemory.fullFence();
            int next = taken.head();
            for (int i = 0; i < chainLength[taken.head()]; i++) {
                free.add(next);
                next = memory.getShort(descriptors + 16L * next + 14) & 0xffff;
            }
            return taken;
        }
    }
}
