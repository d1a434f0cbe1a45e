// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Put-if-absent whose outcome is known: an unclear answer is resolved by reading back, as in docs/store-format.md
 * ("Unclear answers"). Contents carry a nonce, so equal bytes are our own.
 */
final class PutOnce {
    /** A conflict (409) clears within a request's time; each try has the back end's own retries below it. */
    private static final int TRIES = 5;

    private PutOnce() {}

    /**
     * @return empty when {@code content} now stands under {@code key}, else what stands there instead
     * @throws StoreException when that could not be found out
     */
    static Optional<ByteBuffer> put(ObjectStore store, String key, ByteBuffer content) {
        UnclearOutcomeException unclear = null;
        for (int attempt = 0; attempt < TRIES; attempt++) {
            if (attempt > 0) {
                pause(attempt);
            }
            try {
                if (store.putIfAbsent(key, content.duplicate()) == ObjectStore.Put.CREATED) {
                    return Optional.empty();
                }
            } catch (UnclearOutcomeException e) {
                unclear = e;
            }
            Optional<ByteBuffer> standing = readBack(store, key, unclear);
            if (standing.isPresent()) {
                return standing.get().equals(content) ? Optional.empty() : standing;
            }
        }
        throw new UnclearOutcomeException(
                "could not find out whether " + key + " was created in " + store.describe(), unclear);
    }

    private static Optional<ByteBuffer> readBack(ObjectStore store, String key, UnclearOutcomeException unclear) {
        try {
            return store.get(key);
        } catch (StoreException e) {
            if (unclear != null) {
                e.addSuppressed(unclear);
            }
            throw new UnclearOutcomeException(
                    "could not find out whether " + key + " was created: " + e.getMessage(), e);
        }
    }

    private static void pause(int attempt) {
        long limitNs = TimeUnit.MILLISECONDS.toNanos(20L << attempt);
        LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(limitNs / 2, limitNs));
    }
}
