// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * The few operations of an object store that Lifeboat builds on; a directory and the clouds implement them with the same
 * behaviour (one test suite runs over all). Keys are relative, of {@code [A-Za-z0-9._/-]}. Thread-safe. Every call has
 * a time limit of its own.
 */
public interface ObjectStore extends AutoCloseable {
    /** What became of a {@link #putIfAbsent}. */
    enum Put {
        /** This call created the object. */
        CREATED,
        /** An object with that key was there (possibly made by an earlier try of this very call: compare contents). */
        EXISTS
    }

    /** Creates or replaces; durable on return. */
    void put(String key, ByteBuffer content);

    /** Creates unless it exists, atomically among all clients; durable on return. */
    Put putIfAbsent(String key, ByteBuffer content);

    Optional<ByteBuffer> get(String key);

    /** Reads {@code length} bytes from {@code offset} into {@code into}. */
    void read(String key, long offset, int length, ByteBuffer into);

    /** What a listing says of an object; the time is the store's own clock. */
    record Entry(String key, long lengthBytes, long modifiedAtMillis) {}

    /** Objects whose keys start with {@code prefix}, in ascending order of their keys' bytes, at most {@code limit}. */
    List<Entry> entries(String prefix, int limit);

    /** The keys of {@link #entries}. */
    default List<String> list(String prefix, int limit) {
        return entries(prefix, limit).stream().map(Entry::key).toList();
    }

    /** Idempotent. */
    void delete(String key);

    /** Where this is, for messages: never with credentials. */
    String describe();

    @Override
    void close();
}
