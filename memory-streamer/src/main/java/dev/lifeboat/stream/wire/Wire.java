// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import dev.lifeboat.store.RunCodec;

/** The numbers of the protocol (docs/protocol.md). */
public final class Wire {
    /** Both sides must have the same; see "Versions" in docs/protocol.md. */
    public static final int VERSION = 3;
    /** "LBMG", the first four bytes of a HELLO's body. */
    static final int MAGIC = 0x4c424d47;
    /** Body length (4), type (1), checksum (4). */
    static final int HEADER_BYTES = 9;
    /** Address space (1), first page (8), page count (1), encoding (1), CRC32C of the payload (4). */
    static final int RUN_HEADER_BYTES = 15;

    /** Disks in a HELLO; as many as a VM can have devices is far below it. */
    static final int MAX_DISKS = 64;

    private Wire() {}

    /** Whether runs may have this encoding: the others are against bytes, or need a library, that a peer may not have. */
    static boolean carries(byte encoding) {
        return encoding == RunCodec.ZERO || encoding == RunCodec.PLAIN || encoding == RunCodec.LZ4;
    }
}
