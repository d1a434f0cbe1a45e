// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.UUID;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says in the store that an epoch is being read, as long as it is open; {@code store-lease} renews it. Who deletes
 * segments looks for leases after it has deleted the manifest ({@link ReaderLeases}), and a reader looks for the
 * manifest after it has put its lease: so one of them sees the other.
 */
final class ReaderLease implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ReaderLease.class);
    /** Three renewals may fail before it ends. */
    private static final int RENEWALS = 4;

    /** One for all leases of the process: a renewal is one small request. */
    private static final ScheduledThreadPoolExecutor RENEWER = new ScheduledThreadPoolExecutor(1, task -> {
        Thread thread = new Thread(task, "store-lease");
        thread.setDaemon(true);
        return thread;
    });

    static {
        RENEWER.setRemoveOnCancelPolicy(true);
    }

    private final ObjectStore store;
    private final String key;
    private final EpochManifest manifest;
    private final long lengthMs;
    private final LongSupplier wallClockMs;
    private final ScheduledFuture<?> renewals;
    private boolean ended;

    /** As it stands in its object. */
    record Body(int version, String vmId, long epoch, long expiresAtMillis) {
        static final int VERSION = 1;
    }

    /** @throws StoreException when the epoch is gone */
    ReaderLease(ObjectStore store, EpochManifest manifest, long lengthMs, LongSupplier wallClockMs) {
        this.store = store;
        this.manifest = manifest;
        this.lengthMs = lengthMs;
        this.wallClockMs = wallClockMs;
        Keys keys = new Keys(manifest.vmId());
        key = keys.reader(UUID.randomUUID().toString().replace("-", "").substring(16));
        renew();
        if (store.get(keys.epoch(manifest.epoch())).isEmpty()) {
            end();
            throw new StoreException("epoch " + manifest.epoch() + " of VM " + manifest.vmId() + " in "
                    + store.describe() + " is gone: newer ones took its place; take the newest");
        }
        long everyMs = Math.max(1, lengthMs / RENEWALS);
        renewals = RENEWER.scheduleWithFixedDelay(this::renew, everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    /** Not while it ends: a renewal that comes after the end would bring it back. */
    private synchronized void renew() {
        if (ended) {
            return;
        }
        Body body = new Body(Body.VERSION, manifest.vmId(), manifest.epoch(), wallClockMs.getAsLong() + lengthMs);
        try {
            store.put(key, Records.bytes(body));
        } catch (StoreException e) {
            // Who may only read can still read: what is deleted meanwhile is missed by name, never taken for zeros.
            LOG.warn(
                    "epoch {} of VM {} is read without a lease, so it may be deleted meanwhile: {}",
                    manifest.epoch(),
                    manifest.vmId(),
                    e.getMessage());
        }
    }

    private synchronized void end() {
        ended = true;
        try {
            store.delete(key);
        } catch (StoreException e) {
            LOG.warn("{} stays in {} until it expires: {}", key, store.describe(), e.getMessage());
        }
    }

    @Override
    public void close() {
        renewals.cancel(false);
        end();
    }
}
