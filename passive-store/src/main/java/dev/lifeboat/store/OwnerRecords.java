// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.OptionalLong;

/** How owner records are named and written (docs/store-format.md), the same in every registry. */
public final class OwnerRecords {
    private OwnerRecords() {}

    /** What the keys of a VM's owner records begin with; below it they sort by term. */
    public static String prefix(String vmId) {
        return new Keys(vmId).ownerPrefix();
    }

    public static String key(String vmId, long term) {
        return new Keys(vmId).owner(term);
    }

    /** Empty when {@code key} is not the key of an owner record of this VM. */
    public static OptionalLong termOf(String vmId, String key) {
        return new Keys(vmId).termOf(key);
    }

    public static ByteBuffer bytes(OwnerRecord record) {
        return Records.bytes(record);
    }

    /**
     * @throws DamagedObjectException when the bytes are damaged, or the record of another VM or term
     * @throws StoreException when a newer Lifeboat wrote them
     */
    public static OwnerRecord read(String vmId, long term, ByteBuffer content) {
        String key = key(vmId, term);
        OwnerRecord record = Records.owner(key, content);
        if (!record.vmId().equals(vmId) || record.term() != term) {
            throw new DamagedObjectException("damaged object " + key + ": it is the record of another key: " + record);
        }
        return record;
    }

    /** Refuses a claim that is none of this VM's. */
    public static void check(String vmId, OwnerRecord record) {
        if (!record.vmId().equals(vmId) || record.term() < 1 || record.leaseMillis() < 0) {
            throw new IllegalArgumentException("not a record of VM " + vmId + ": " + record);
        }
    }
}
