// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The leases of readers, as who wants to delete segments sees them. */
final class ReaderLeases {
    private static final Logger LOG = LoggerFactory.getLogger(ReaderLeases.class);
    /** Clocks of two hosts differ; a lease counts this much longer. */
    static final long CLOCK_SLACK_MS = 60_000;

    private static final int LISTED = 1000;

    private ReaderLeases() {}

    /**
     * Epochs that somebody reads. To be asked after the manifests are deleted and before their segments are, see {@link
     * ReaderLease}. Leases that are over are removed.
     */
    static Set<Long> live(ObjectStore store, String vmId, long nowMs) {
        return find(store, vmId, nowMs, true);
    }

    /** As {@link #live}, and changes nothing. */
    static Set<Long> seen(ObjectStore store, String vmId, long nowMs) {
        return find(store, vmId, nowMs, false);
    }

    private static Set<Long> find(ObjectStore store, String vmId, long nowMs, boolean removes) {
        Keys keys = new Keys(vmId);
        Set<Long> epochs = new HashSet<>();
        for (String key : store.list(keys.readerPrefix(), LISTED)) {
            Optional<ByteBuffer> content = store.get(key);
            if (content.isEmpty()) {
                continue;
            }
            ReaderLease.Body lease;
            try {
                lease = Records.lease(key, content.get());
            } catch (DamagedObjectException e) {
                LOG.warn("ignoring {} in {}: it is not a reader's lease: {}", key, store.describe(), e.getMessage());
                continue;
            }
            if (lease.expiresAtMillis() + CLOCK_SLACK_MS > nowMs) {
                epochs.add(lease.epoch());
            } else if (removes) {
                LOG.info("the reader of epoch {} of VM {} is gone without a word", lease.epoch(), vmId);
                store.delete(key);
            }
        }
        return epochs;
    }
}
