// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.RunCodec;
import java.nio.ByteBuffer;

/**
 * The bytes of one run on their way through the pipeline: first its pages, copied from guest memory, then in their place
 * its payloads. There is more than one when only some of the pages are deltas. Reused; passed from an encoder to the
 * sink by the ring.
 */
final class EncodedRun {
    private final ByteBuffer bytes = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
    private final long address = NativeMemory.addressOf(bytes);
    private final byte[] pageCounts = new byte[RunCodec.MAX_RUN_PAGES];
    private final byte[] encodings = new byte[RunCodec.MAX_RUN_PAGES];
    private final int[] payloadEnds = new int[RunCodec.MAX_RUN_PAGES];
    private final int[] checksums = new int[RunCodec.MAX_RUN_PAGES];
    private int parts;

    void clear() {
        parts = 0;
    }

    /** Where the pages are to be copied to. */
    long address() {
        return address;
    }

    /** The bytes of all pages; a part's payload begins where its first page did. */
    ByteBuffer bytes() {
        return bytes;
    }

    /** Adds the next pages of the run; the payload is what remains of {@link #bytes}. */
    void addPart(int pageCount, byte encoding) {
        pageCounts[parts] = (byte) pageCount;
        encodings[parts] = encoding;
        payloadEnds[parts] = bytes.limit();
        checksums[parts] = RunCodec.crc32c(bytes);
        parts++;
    }

    void handTo(RunSink sink, int space, long firstPage) {
        int page = 0;
        for (int part = 0; part < parts; part++) {
            bytes.limit(payloadEnds[part]).position(page * GuestMemory.PAGE_BYTES);
            sink.accept(space, firstPage + page, pageCounts[part], encodings[part], bytes, checksums[part]);
            page += pageCounts[part];
        }
    }
}
