// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import java.nio.ByteBuffer;

/** Where encoded runs go, in the order in which they were published: a store's epoch, or a peer. */
@FunctionalInterface
public interface RunSink {
    /**
     * Takes one run, on the pipeline's sink thread. May block while what is behind it catches up, within its own limit.
     *
     * @param space the address space of the pages, see {@link PageRun#space}
     * @param encoding one of {@code RunCodec}'s
     * @param payload direct, valid during the call only
     * @param crc32c over the payload
     */
    void accept(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c);

    /** No more runs for now: {@link PagePipeline#drain} waits for this. What was collected goes out. */
    default void flush() {}
}
