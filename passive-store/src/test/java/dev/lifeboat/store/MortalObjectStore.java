// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** A process's way to its store, which ends at some operation, before or after that took effect, as a crash does. */
final class MortalObjectStore implements ObjectStore {
    private final ObjectStore store;
    private final AtomicInteger operationsLeft = new AtomicInteger(Integer.MAX_VALUE);
    private volatile boolean effectOfLast;
    private volatile boolean answerLost;

    MortalObjectStore(ObjectStore store) {
        this.store = store;
    }

    /** @param effective whether the last operation takes effect, which nobody hears of */
    void dieAfter(int operations, boolean effective) {
        effectOfLast = effective;
        operationsLeft.set(operations);
    }

    boolean isDead() {
        return operationsLeft.get() <= 0;
    }

    /** Whether its end is set, or was. */
    boolean isMortal() {
        return operationsLeft.get() != Integer.MAX_VALUE;
    }

    /** The answer to the next put-if-absent is lost, though it took effect. */
    void loseAnswer() {
        answerLost = true;
    }

    private <T> T run(Supplier<T> operation) {
        int left = operationsLeft.getAndUpdate(n -> n == Integer.MAX_VALUE ? n : Math.max(n - 1, -1));
        if (left > 1) {
            return operation.get();
        }
        if (left == 1 && effectOfLast) {
            operation.get();
        }
        throw new StoreException("this process is dead");
    }

    @Override
    public void put(String key, ByteBuffer content) {
        run(() -> {
            store.put(key, content);
            return null;
        });
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        Put put = run(() -> store.putIfAbsent(key, content));
        if (answerLost) {
            answerLost = false;
            throw new UnclearOutcomeException("no answer for " + key, null);
        }
        return put;
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        return run(() -> store.get(key));
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        run(() -> {
            store.read(key, offset, length, into);
            return null;
        });
    }

    @Override
    public List<Entry> entries(String prefix, int limit) {
        return run(() -> store.entries(prefix, limit));
    }

    @Override
    public void delete(String key) {
        run(() -> {
            store.delete(key);
            return null;
        });
    }

    @Override
    public String describe() {
        return store.describe();
    }

    @Override
    public void close() {}
}
