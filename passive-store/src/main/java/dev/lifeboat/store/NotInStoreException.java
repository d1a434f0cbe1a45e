// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.List;
import java.util.Optional;

/** The VM or epoch asked for is not in the store; the message says what is. */
public final class NotInStoreException extends StoreException {
    private static final long serialVersionUID = 1L;

    private NotInStoreException(String message) {
        super(message);
    }

    static NotInStoreException vm(String vmId, ObjectStore store) {
        return new NotInStoreException(
                "there is nothing of VM " + vmId + " in " + store.describe() + "; see: lifeboat store ls");
    }

    /**
     * @param epoch the one that was asked for, else the newest whole one
     * @param there numbers of the epochs there are, newest first
     */
    static NotInStoreException epoch(String vmId, Optional<Long> epoch, ObjectStore store, List<Long> there) {
        String which = epoch.map(number -> "no epoch " + number).orElse("no whole epoch");
        String range = there.isEmpty()
                ? "it has none at all"
                : "it has " + there.size() + ", from " + there.get(there.size() - 1) + " to " + there.get(0);
        return new NotInStoreException("VM " + vmId + " has " + which + " in " + store.describe() + "; " + range
                + "; see: lifeboat store show " + vmId);
    }
}
