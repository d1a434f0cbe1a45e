// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/** Objects on the heap, with the behaviour of a perfect object store; it counts their bytes. */
final class HeapObjectStore implements ObjectStore {
    final ConcurrentNavigableMap<String, byte[]> objects = new ConcurrentSkipListMap<>();
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong peakBytes = new AtomicLong();
    private final AtomicLong writtenBytes = new AtomicLong();

    @Override
    public void put(String key, ByteBuffer content) {
        count(objects.put(Keys.check(key), copy(content)), content.remaining());
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        if (objects.putIfAbsent(Keys.check(key), copy(content)) != null) {
            return Put.EXISTS;
        }
        count(null, content.remaining());
        return Put.CREATED;
    }

    private static byte[] copy(ByteBuffer content) {
        byte[] copy = new byte[content.remaining()];
        content.get(content.position(), copy);
        return copy;
    }

    private void count(byte[] former, long addedBytes) {
        writtenBytes.addAndGet(addedBytes);
        long now = bytes.addAndGet(addedBytes - (former == null ? 0 : former.length));
        peakBytes.accumulateAndGet(now, Math::max);
    }

    /** Bytes ever written. */
    long writtenBytes() {
        return writtenBytes.get();
    }

    /** Most bytes at any time since the last call. */
    long takePeakBytes() {
        return peakBytes.getAndSet(bytes.get());
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        return Optional.ofNullable(objects.get(key)).map(ByteBuffer::wrap);
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        byte[] content = objects.get(key);
        if (content == null) {
            throw new DamagedObjectException("object " + key + " is missing in " + describe());
        }
        if (offset + length > content.length) {
            throw new DamagedObjectException("object " + key + " in " + describe() + " is truncated");
        }
        into.put(content, (int) offset, length);
    }

    @Override
    public List<Entry> entries(String prefix, int limit) {
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, byte[]> object : objects.tailMap(prefix).entrySet()) {
            if (entries.size() == limit || !object.getKey().startsWith(prefix)) {
                break;
            }
            entries.add(new Entry(object.getKey(), object.getValue().length, 0));
        }
        return entries;
    }

    @Override
    public void delete(String key) {
        byte[] former = objects.remove(key);
        if (former != null) {
            count(former, 0);
        }
    }

    @Override
    public String describe() {
        return "heap:";
    }

    @Override
    public void close() {}
}
