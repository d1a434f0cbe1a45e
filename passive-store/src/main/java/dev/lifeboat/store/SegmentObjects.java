// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;

/** Segments as objects: the one place through which their bytes go to the store and come back. Thread-safe. */
final class SegmentObjects {
    private final ObjectStore store;

    SegmentObjects(ObjectStore store) {
        this.store = store;
    }

    void put(String key, ByteBuffer content) {
        store.put(key, content);
    }

    /** As {@link ObjectStore#read}, where reading nothing is allowed. */
    void read(SegmentRef ref, long from, int length, ByteBuffer into) {
        if (length > 0) {
            store.read(ref.key(), from, length, into);
        }
    }

    String describe() {
        return store.describe();
    }
}
