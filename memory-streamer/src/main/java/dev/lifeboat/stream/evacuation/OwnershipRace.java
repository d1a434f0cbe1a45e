// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.StoreException;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The race for a term (invariant I1): source and target both run this, and the registry lets one of them win. */
final class OwnershipRace {
    private static final Logger LOG = LoggerFactory.getLogger(OwnershipRace.class);
    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private OwnershipRace() {}

    /**
     * Tries to own the term, again and again while the registry does not answer. The same record each time: an
     * earlier try may have come through.
     *
     * @return the record that stands for the term, or empty when that could not be found out in time
     */
    static Optional<OwnerRecord> run(OwnerRegistry owners, OwnerRecord mine, long limitMs) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        boolean told = false;
        while (true) {
            try {
                return Optional.of(owners.claim(mine));
            } catch (StoreException e) {
                if (!told) {
                    told = true;
                    LOG.warn(
                            "Cannot find out who owns {} in term {}; trying on: {}",
                            mine.vmId(),
                            mine.term(),
                            e.getMessage());
                }
                if (System.nanoTime() > end) {
                    return Optional.empty();
                }
                LockSupport.parkNanos(RETRY_NS);
            }
        }
    }

    static OwnerRecord record(String vmId, long term, String hostName) {
        return new OwnerRecord(
                OwnerRecord.VERSION, vmId, term, hostName, UUID.randomUUID().toString(), System.currentTimeMillis());
    }
}
