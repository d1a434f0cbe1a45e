// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;

/**
 * Builds the epochs of one VM under one owner record. One thread calls it; uploads run behind it, a bounded number at
 * once, and {@link #append} blocks when they are behind.
 */
public interface EpochWriter extends AutoCloseable {
    /**
     * Adds one encoded run to the epoch being built.
     *
     * @param space address space, see {@link VmShape}
     * @param payload direct; its remaining bytes are copied before return
     * @param crc32c over the payload bytes
     * @throws StoreException when an upload of this epoch has failed; {@link #abandon} and start over
     */
    void append(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c);

    /** The epoch that the first one of this writer continues; 0 for none. It holds what is not appended. */
    long baseEpoch();

    /** Payload bytes appended since the last commit or abandon. */
    long bytesInEpoch();

    /**
     * Seals, waits until every segment is durable, and commits the epoch.
     *
     * @param vmDescription see {@link EpochManifest}
     * @param state see {@link EpochManifest}
     * @throws FencedException when a newer term exists
     * @throws StoreException when the epoch was not committed; {@link #abandon} and start over
     */
    EpochManifest commit(String vmDescription, byte[] state, long cutAtMillis);

    /** Drops everything appended since the last commit. The caller sends those pages again in the next epoch (I2). */
    void abandon();

    @Override
    void close();
}
