// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.GuestAddressException;
import dev.lifeboat.stream.GuestMemory;

/**
 * The device's side of a split virtqueue (virtio 1.2, 2.7), with indirect descriptors and event indexes. One device
 * thread uses it; the other side is the guest, which may write anything at any time: every value is read once and
 * checked before use, every walk is bounded by the queue's size, and what breaks the rules is a
 * {@link HostileQueueException}.
 *
 * <p>Java reads and writes the rings here, payloads are left to the kernel. Post-copy therefore has to make the rings'
 * pages resident before a queue is used (invariant I3); that is the one place.
 *
 * <p>Pages of the used ring are marked after each write, so that a page copied between the write and the mark is copied
 * again. A used-ring page that is missed is a hung guest after a move.
 */
public final class VirtQueue {
    private static final int DESCRIPTOR_BYTES = 16;
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final short AVAILABLE_NO_INTERRUPT = 1;
    private static final short USED_NO_NOTIFY = 1;
    /** Ring headers (flags, index) are 4 bytes, event indexes 2, used elements 8. */
    private static final int HEADER_BYTES = 4;

    private static final int EVENT_BYTES = 2;
    private static final int USED_ELEMENT_BYTES = 8;

    private final GuestMemory memory;
    private final VirtQueueState setup;
    private final int size;
    private final boolean eventIndex;
    private final boolean indirect;
    private final long descriptors;
    private final long available;
    private final long used;

    private int nextAvailable;
    private int nextUsed;
    private int publishedUsed;
    private int lastInterruptUsed;
    private boolean interruptedBefore;

    /**
     * A queue as the driver or a saved state describes it.
     *
     * @throws HostileQueueException when the size or an address is not possible
     */
    VirtQueue(GuestMemory memory, VirtQueueState setup, boolean eventIndex, boolean indirect) {
        this.memory = memory;
        this.setup = setup;
        this.eventIndex = eventIndex;
        this.indirect = indirect;
        if (!setup.ready()) {
            size = 0;
            descriptors = 0;
            available = 0;
            used = 0;
            return;
        }
        size = setup.size();
        if (Integer.bitCount(size) != 1 || size < 1 || size > setup.maxSize()) {
            throw new HostileQueueException("queue size " + size + " is not a power of two up to " + setup.maxSize());
        }
        descriptors = ring("descriptor table", setup.descriptorAddress(), (long) size * DESCRIPTOR_BYTES, 16);
        available = ring("available ring", setup.availableAddress(), HEADER_BYTES + 2L * size + EVENT_BYTES, 2);
        used = ring("used ring", setup.usedAddress(), usedBytes(), 4);
        nextAvailable = setup.nextAvailable() & 0xffff;
        nextUsed = setup.nextUsed() & 0xffff;
        publishedUsed = nextUsed;
    }

    private long usedBytes() {
        return HEADER_BYTES + (long) USED_ELEMENT_BYTES * size + EVENT_BYTES;
    }

    private long ring(String what, long guestAddress, long lengthBytes, int alignment) {
        if (guestAddress % alignment != 0) {
            throw new HostileQueueException("%s at 0x%x is not aligned to %d".formatted(what, guestAddress, alignment));
        }
        try {
            return memory.translate(guestAddress, lengthBytes);
        } catch (GuestAddressException e) {
            throw new HostileQueueException(what + ": " + e.getMessage());
        }
    }

    /** 0 for a queue that the driver did not set up; such a queue never has work. */
    int size() {
        return size;
    }

    /** Chains that the driver made available and that were not taken yet. */
    int waiting() {
        if (size == 0) {
            return 0;
        }
        int waiting = (NativeMemory.getShort(available + 2) - nextAvailable) & 0xffff;
        // The driver fills a slot before it moves the index; what is read from now on is at least as new as the index.
        NativeMemory.acquireFence();
        if (waiting > size) {
            throw new HostileQueueException(
                    "the available index is " + waiting + " ahead in a queue of " + size + " descriptors");
        }
        return waiting;
    }

    /**
     * Takes the next chain and appends its pieces to {@code vectors}, which must have room for {@link #size()} more.
     *
     * @return false when there is none; then nothing is changed
     */
    boolean pop(IoVectors vectors, DescriptorChain chain) {
        if (waiting() == 0) {
            return false;
        }
        int head = NativeMemory.getShort(available + HEADER_BYTES + 2L * (nextAvailable & (size - 1))) & 0xffff;
        chain.head = head;
        chain.first = vectors.count();
        chain.readableCount = 0;
        chain.writableCount = 0;
        chain.readableBytes = 0;
        chain.writableBytes = 0;
        walk(vectors, chain, head);
        nextAvailable = (nextAvailable + 1) & 0xffff;
        return true;
    }

    private void walk(IoVectors vectors, DescriptorChain chain, int head) {
        long table = descriptors;
        int tableSize = size;
        int index = head;
        boolean inIndirect = false;
        // A chain has at most as many descriptors as the queue (2.7.5.2), its indirect one not counted: loops end here.
        for (int steps = 0; steps <= size; steps++) {
            if (index >= tableSize) {
                throw new HostileQueueException("descriptor " + index + " in a table of " + tableSize);
            }
            long entry = table + (long) index * DESCRIPTOR_BYTES;
            long guestAddress = NativeMemory.getLong(entry);
            long lengthBytes = NativeMemory.getInt(entry + 8) & 0xffff_ffffL;
            int flags = NativeMemory.getShort(entry + 12) & 0xffff;
            int next = NativeMemory.getShort(entry + 14) & 0xffff;
            if ((flags & INDIRECT) != 0) {
                if (!indirect || inIndirect || (flags & NEXT) != 0) {
                    throw new HostileQueueException(
                            "descriptor " + index + " is indirect where it must not be, flags " + flags);
                }
                if (lengthBytes == 0
                        || lengthBytes % DESCRIPTOR_BYTES != 0
                        || lengthBytes > (long) size * DESCRIPTOR_BYTES) {
                    throw new HostileQueueException("an indirect table of " + lengthBytes + " bytes");
                }
                table = hostAddress(guestAddress, lengthBytes);
                tableSize = (int) (lengthBytes / DESCRIPTOR_BYTES);
                index = 0;
                inIndirect = true;
                continue;
            }
            append(vectors, chain, guestAddress, lengthBytes, (flags & WRITE) != 0);
            if ((flags & NEXT) == 0) {
                return;
            }
            index = next;
        }
        throw new HostileQueueException("the chain from descriptor " + head + " has a loop");
    }

    private void append(
            IoVectors vectors, DescriptorChain chain, long guestAddress, long lengthBytes, boolean writable) {
        if (chain.readableCount + chain.writableCount == size) {
            throw new HostileQueueException("the chain from descriptor " + chain.head + " is longer than its queue");
        }
        vectors.append(guestAddress, hostAddress(guestAddress, lengthBytes), lengthBytes);
        if (writable) {
            chain.writableCount++;
            chain.writableBytes += lengthBytes;
        } else {
            if (chain.writableCount > 0) {
                throw new HostileQueueException(
                        "the chain from descriptor " + chain.head + " has a readable piece after a writable one");
            }
            chain.readableCount++;
            chain.readableBytes += lengthBytes;
        }
    }

    private long hostAddress(long guestAddress, long lengthBytes) {
        try {
            return memory.translate(guestAddress, lengthBytes);
        } catch (GuestAddressException e) {
            throw new HostileQueueException("descriptor: " + e.getMessage());
        }
    }

    /** Gives back the last {@code chains} taken, in whole; they are the next to be popped again. */
    void unpop(int chains) {
        nextAvailable = (nextAvailable - chains) & 0xffff;
    }

    /** Notes a finished chain; the guest sees it with the next {@link #publish}. */
    void addUsed(int head, long lengthBytes) {
        long element = used + HEADER_BYTES + (long) USED_ELEMENT_BYTES * (nextUsed & (size - 1));
        NativeMemory.putInt(element, head);
        NativeMemory.putInt(element + 4, (int) lengthBytes);
        nextUsed = (nextUsed + 1) & 0xffff;
    }

    /** Shows the guest every chain noted so far; returns whether it wants an interrupt for them. */
    boolean publish() {
        if (nextUsed == publishedUsed) {
            return false;
        }
        NativeMemory.releaseFence(); // elements before the index
        NativeMemory.putShort(used + 2, (short) nextUsed);
        publishedUsed = nextUsed;
        markUsedRing();
        // The index must be visible before the driver's wish is read: it writes its wish, then reads the index.
        NativeMemory.fullFence();
        if (!eventIndex) {
            return (NativeMemory.getShort(available) & AVAILABLE_NO_INTERRUPT) == 0;
        }
        int wanted = NativeMemory.getShort(available + HEADER_BYTES + 2L * size) & 0xffff;
        boolean interrupt = !interruptedBefore || passed(wanted, publishedUsed, lastInterruptUsed);
        interruptedBefore = true;
        lastInterruptUsed = publishedUsed;
        return interrupt;
    }

    /** vring_need_event of virtio 1.2, 2.7.10: whether the index went past {@code event} on its way from {@code old}. */
    private static boolean passed(int event, int index, int old) {
        return ((index - event - 1) & 0xffff) < ((index - old) & 0xffff);
    }

    /** Asks the driver to notify the next chain; returns true when there is one already and no need to wait. */
    boolean enableNotifications() {
        if (size == 0) {
            return false;
        }
        if (eventIndex) {
            NativeMemory.putShort(used + HEADER_BYTES + (long) USED_ELEMENT_BYTES * size, (short) nextAvailable);
        } else {
            NativeMemory.putShort(used, (short) 0);
        }
        markUsedRing();
        NativeMemory.fullFence(); // the wish before the look; the driver writes the index, then looks at the wish
        return waiting() > 0;
    }

    /** Lets the driver save its notifications while the device is busy; with event indexes they stop by themselves. */
    void disableNotifications() {
        if (size != 0 && !eventIndex) {
            NativeMemory.putShort(used, USED_NO_NOTIFY);
            markUsedRing();
        }
    }

    private void markUsedRing() {
        memory.markWritten(setup.usedAddress(), usedBytes());
    }

    VirtQueueState state() {
        return new VirtQueueState(
                setup.maxSize(),
                setup.size(),
                setup.ready(),
                setup.descriptorAddress(),
                setup.availableAddress(),
                setup.usedAddress(),
                nextAvailable,
                publishedUsed);
    }
}
