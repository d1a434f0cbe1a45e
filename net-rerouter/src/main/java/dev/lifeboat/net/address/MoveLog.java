// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

import java.util.List;

/** Where {@link AddressMoves} keeps its records, across crashes. What {@link #put} returns from is durable. */
public interface MoveLog {
    void put(MoveRecord record);

    /** Nothing happens when there is none. */
    void remove(String id);

    List<MoveRecord> all();
}
