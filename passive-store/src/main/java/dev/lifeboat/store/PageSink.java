// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;

/** Takes pages read from the store. May be called from several threads, never twice for one page. */
@FunctionalInterface
public interface PageSink {
    /**
     * @param content decoded, direct, {@code pageCount * 4096} bytes; valid during the call only
     */
    void accept(long firstPage, int pageCount, ByteBuffer content);
}
