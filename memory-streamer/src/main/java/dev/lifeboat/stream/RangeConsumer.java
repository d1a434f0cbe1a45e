// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/** Takes ranges of existing pages, ascending. */
@FunctionalInterface
public interface RangeConsumer {
    void accept(long firstPage, long count);
}
