// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.net.Tap;
import dev.lifeboat.stream.GuestMemory;

/**
 * The receive buffers that a guest posted and that stand ready for the next frame, whose length is known only once it
 * is read. Their pieces follow one another in one iovec array, so that one readv fills as many buffers as a frame needs
 * (VIRTIO_NET_F_MRG_RXBUF). What no frame has used yet goes back to the ring before a pause. One device thread.
 */
final class ReceiveWindow implements AutoCloseable {
    /** UIO_MAXIOV: what one readv takes at most. */
    private static final int MAX_VECTORS = 1024;

    private static final int CAPACITY = 4 * MAX_VECTORS;
    private static final int NUM_BUFFERS_OFFSET = 10;

    private final IoVectors vectors;
    private final int queueSize;
    private final DescriptorChain chain = new DescriptorChain();
    private final int[] heads = new int[CAPACITY];
    private final int[] vectorCounts = new int[CAPACITY];
    private final long[] chainBytes = new long[CAPACITY];
    private int firstChain;
    private int endChain;
    private int firstVector;
    private long bytes;

    ReceiveWindow(GuestMemory memory, int queueSize) {
        this.queueSize = queueSize;
        vectors = new IoVectors(memory, CAPACITY);
    }

    /** Bytes a frame may have, header included, to fit. */
    long bytes() {
        return bytes;
    }

    /** No further buffer can be added, because readv would not take it. One entry is kept for the spill. */
    boolean isFull() {
        return vectors.count() - firstVector + queueSize + 1 > MAX_VECTORS;
    }

    /** Takes buffers from the ring until the window has {@code wantedBytes}, or {@code maxChains}, or all there are. */
    void fill(VirtQueue queue, long wantedBytes, int maxChains) {
        while (bytes < wantedBytes && endChain - firstChain < maxChains && !isFull()) {
            makeRoom();
            if (!queue.pop(vectors, chain)) {
                return;
            }
            if (chain.readableCount > 0 || chain.writableBytes < Tap.VNET_HEADER_BYTES) {
                throw new HostileQueueException("a receive buffer with %d writable and %d readable bytes"
                        .formatted(chain.writableBytes, chain.readableBytes));
            }
            heads[endChain] = chain.head;
            vectorCounts[endChain] = chain.writableCount;
            chainBytes[endChain] = chain.writableBytes;
            endChain++;
            bytes += chain.writableBytes;
        }
    }

    private void makeRoom() {
        if (vectors.count() + queueSize + 1 <= CAPACITY) {
            return;
        }
        vectors.compact(firstVector);
        firstVector = 0;
        int chains = endChain - firstChain;
        System.arraycopy(heads, firstChain, heads, 0, chains);
        System.arraycopy(vectorCounts, firstChain, vectorCounts, 0, chains);
        System.arraycopy(chainBytes, firstChain, chainBytes, 0, chains);
        firstChain = 0;
        endChain = chains;
    }

    /** Puts memory of our own behind the last buffer, for a frame that is longer than the window. */
    void addSpill(long hostAddress, long lengthBytes) {
        vectors.appendOwn(hostAddress, lengthBytes);
    }

    void removeSpill() {
        vectors.truncate(vectors.count() - 1);
    }

    /** For readv: address and count. */
    long vectorsAddress() {
        return vectors.address(firstVector);
    }

    int vectorCount() {
        return vectors.count() - firstVector;
    }

    /** Copies what the buffers hold, and marks it: the guest's memory changed though no buffer was used. */
    void copyOut(long into) {
        vectors.read(firstVector, into, bytes);
        vectors.markWritten(firstVector, bytes);
    }

    void copyIn(long from, long lengthBytes) {
        vectors.write(firstVector, from, lengthBytes);
    }

    /** The first {@code lengthBytes} hold a frame: its buffers become used, shown to the guest by the next publish. */
    void use(VirtQueue queue, long lengthBytes) {
        vectors.markWritten(firstVector, lengthBytes);
        int first = firstVector;
        int count = 0;
        long left = lengthBytes;
        while (left > 0) {
            long piece = Math.min(left, chainBytes[firstChain]);
            queue.addUsed(heads[firstChain], piece);
            bytes -= chainBytes[firstChain];
            firstVector += vectorCounts[firstChain];
            firstChain++;
            left -= piece;
            count++;
        }
        // virtio_net_hdr_v1.num_buffers; 1 when buffers are not mergeable (virtio 1.2, 5.1.6.3.2). The tap leaves it
        // out.
        vectors.putByte(first, NUM_BUFFERS_OFFSET, (byte) count);
        vectors.putByte(first, NUM_BUFFERS_OFFSET + 1, (byte) (count >>> 8));
    }

    /** Gives every buffer back to the ring. */
    void giveBack(VirtQueue queue) {
        queue.unpop(endChain - firstChain);
        clear();
    }

    /** Forgets every buffer: its ring is gone. */
    void clear() {
        vectors.clear();
        firstChain = 0;
        endChain = 0;
        firstVector = 0;
        bytes = 0;
    }

    @Override
    public void close() {
        vectors.close();
    }
}
