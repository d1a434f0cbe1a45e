// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * A store on a volume that only one host at a time can use: while the volume is elsewhere every call fails at once, and
 * before it may go, the calls under way are waited for. Without this guard a late write would land in the empty
 * directory that a mount leaves behind. Thread-safe.
 */
public final class MovableObjectStore implements ObjectStore {
    private final String where;

    // Guarded by this.
    private Optional<ObjectStore> here = Optional.empty();
    private int callsUnderWay;

    /** @param where for messages, such as {@code dir:/mnt/volume on volume vol-1} */
    public MovableObjectStore(String where) {
        this.where = where;
    }

    /** The volume is here. */
    public synchronized void arrive(ObjectStore store) {
        if (here.isPresent()) {
            throw new IllegalStateException(where + " is here already");
        }
        here = Optional.of(store);
    }

    public synchronized boolean isHere() {
        return here.isPresent();
    }

    /**
     * Refuses calls from now on and returns when none is under way any more; closes what {@link #arrive} was given. Nothing
     * happens when it is not here.
     *
     * @throws StoreException when calls last longer than the limit; then the store is still to be used
     */
    public void leave(long limitMs) {
        ObjectStore left;
        synchronized (this) {
            if (here.isEmpty()) {
                return;
            }
            left = here.get();
            here = Optional.empty();
            long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
            try {
                while (callsUnderWay > 0) {
                    long leftNs = endNs - System.nanoTime();
                    if (leftNs <= 0) {
                        here = Optional.of(left);
                        throw new StoreException(callsUnderWay + " calls of " + where + " did not end within " + limitMs
                                + " ms, so its volume cannot be given away");
                    }
                    TimeUnit.NANOSECONDS.timedWait(this, leftNs);
                }
            } catch (InterruptedException e) {
                here = Optional.of(left);
                Thread.currentThread().interrupt();
                throw new StoreException("interrupted while waiting for the last calls of " + where, e);
            }
        }
        left.close();
    }

    private <T> T call(Function<ObjectStore, T> action) {
        ObjectStore store;
        synchronized (this) {
            store = here.orElseThrow(
                    () -> new StoreException("the store " + where + " is not on this host at the moment"));
            callsUnderWay++;
        }
        try {
            return action.apply(store);
        } finally {
            synchronized (this) {
                callsUnderWay--;
                notifyAll();
            }
        }
    }

    @Override
    public void put(String key, ByteBuffer content) {
        call(store -> {
            store.put(key, content);
            return true;
        });
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        return call(store -> store.putIfAbsent(key, content));
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        return call(store -> store.get(key));
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        call(store -> {
            store.read(key, offset, length, into);
            return true;
        });
    }

    @Override
    public List<Entry> entries(String prefix, int limit) {
        return call(store -> store.entries(prefix, limit));
    }

    @Override
    public void delete(String key) {
        call(store -> {
            store.delete(key);
            return true;
        });
    }

    @Override
    public String describe() {
        return where;
    }

    @Override
    public void close() {
        Optional<ObjectStore> last;
        synchronized (this) {
            last = here;
            here = Optional.empty();
        }
        last.ifPresent(ObjectStore::close);
    }
}
