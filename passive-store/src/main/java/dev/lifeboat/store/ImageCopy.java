// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.ObjectStore.Entry;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/**
 * A base image in a store, or what is there of one: an image may be there more than once, because each that is sent is sent
 * under a name of its own (docs/store-format.md, "Base images"). Immutable.
 *
 * @param prefix of its keys, {@code base/<id>/<16 hex digits>/}; older ones lie at {@code base/<id>/}
 * @param entries all objects under it, when it was listed
 */
record ImageCopy(String id, String prefix, List<Entry> entries) {
    private static final String ALL_IMAGES = "base/";
    private static final Pattern ID = Pattern.compile("sha256-[0-9a-f]{64}");
    private static final String MANIFEST = "manifest";
    private static final String GOING = "going";
    private static final String USE = "use-";
    /** Far above what a store holds: 8 PiB in chunks. */
    private static final int ALL = 1 << 30;

    ImageCopy {
        entries = List.copyOf(entries);
    }

    /** One that is not in any store yet. */
    static ImageCopy fresh(String id) {
        return new ImageCopy(id, prefixOf(id) + random() + "/", List.of());
    }

    /** Those of one image, in the order of their names. */
    static List<ImageCopy> list(ObjectStore store, String id) {
        return sort(store.entries(prefixOf(id), ALL));
    }

    /** Those of every image in the store. */
    static List<ImageCopy> listAll(ObjectStore store) {
        return sort(store.entries(ALL_IMAGES, ALL));
    }

    private static List<ImageCopy> sort(List<Entry> entries) {
        Map<String, List<Entry>> byPrefix = new TreeMap<>();
        for (Entry entry : entries) {
            String prefix = entry.key().substring(0, entry.key().lastIndexOf('/') + 1);
            byPrefix.computeIfAbsent(prefix, key -> new ArrayList<>()).add(entry);
        }
        List<ImageCopy> copies = new ArrayList<>();
        byPrefix.forEach((prefix, of) -> {
            String[] parts = prefix.split("/");
            // What has another shape is not ours to touch.
            if (parts.length >= 2 && parts.length <= 3 && ID.matcher(parts[1]).matches()) {
                copies.add(new ImageCopy(parts[1], prefix, of));
            }
        });
        return copies;
    }

    private static String prefixOf(String id) {
        if (!ID.matcher(id).matches()) {
            throw new StoreException("'" + id + "' names no base image: it must be sha256- and 64 hexadecimal digits");
        }
        return ALL_IMAGES + id + "/";
    }

    private static String random() {
        return "%016x".formatted(ThreadLocalRandom.current().nextLong());
    }

    /** The content of marks, whose name and age say everything. */
    static ByteBuffer mark() {
        return ByteBuffer.wrap(new byte[] {1});
    }

    String manifestKey() {
        return prefix + MANIFEST;
    }

    String chunkKey(int n) {
        return prefix + n;
    }

    /** There while the copy is being deleted. */
    String goingKey() {
        return prefix + GOING;
    }

    /** Of an object that says, by its age, when somebody began to rely on the copy. */
    String newUseKey() {
        return prefix + USE + random();
    }

    /** Its manifest is the last that is sent and the first that is deleted. */
    boolean isWhole() {
        return has(manifestKey());
    }

    boolean isGoing() {
        return has(goingKey());
    }

    private boolean has(String key) {
        return entries.stream().anyMatch(entry -> entry.key().equals(key));
    }

    /** Whether somebody began to rely on it, or to send it, after this time. */
    boolean isUsedSince(long millis) {
        return entries.stream()
                .filter(entry -> !isWhole() || entry.key().startsWith(prefix + USE))
                .filter(entry -> !entry.key().equals(goingKey()))
                .anyMatch(entry -> entry.modifiedAtMillis() > millis);
    }

    /** Marks of use that say nothing any more. */
    List<String> usesUntil(long millis) {
        return entries.stream()
                .filter(entry -> entry.key().startsWith(prefix + USE) && entry.modifiedAtMillis() <= millis)
                .map(Entry::key)
                .toList();
    }

    /** Without the mark of who deletes it. */
    long storedBytes() {
        return entries.stream()
                .filter(entry -> !entry.key().equals(goingKey()))
                .mapToLong(Entry::lengthBytes)
                .sum();
    }
}
