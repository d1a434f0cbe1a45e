// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** A store behind a bad line: answers are lost after the deed, come late, or nothing passes. */
final class FaultyObjects implements ObjectStore {
    final AtomicInteger answersToCut = new AtomicInteger();
    volatile long slowMillis;
    volatile boolean dead;
    private final ObjectStore store;

    FaultyObjects(ObjectStore store) {
        this.store = store;
    }

    private void line() {
        if (dead) {
            throw new StoreException("the line to " + store.describe() + " is dead");
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(slowMillis));
    }

    @Override
    public void put(String key, ByteBuffer content) {
        line();
        store.put(key, content);
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        line();
        Put outcome = store.putIfAbsent(key, content);
        if (answersToCut.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
            throw new UnclearOutcomeException("the answer was lost", null);
        }
        return outcome;
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        line();
        return store.get(key);
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        line();
        store.read(key, offset, length, into);
    }

    @Override
    public List<Entry> entries(String prefix, int limit) {
        line();
        return store.entries(prefix, limit);
    }

    @Override
    public void delete(String key) {
        line();
        store.delete(key);
    }

    @Override
    public String describe() {
        return store.describe();
    }

    @Override
    public void close() {
        store.close();
    }
}
