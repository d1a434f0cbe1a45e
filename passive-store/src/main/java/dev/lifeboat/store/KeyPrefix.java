// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * The part of a bucket that a store uses: what stands before each of its keys in the names of objects.
 *
 * @param text empty, or ends with a slash
 */
public record KeyPrefix(String text) {
    /** @param path as in {@link StoreUrl#path()} */
    public static KeyPrefix of(String path) {
        if (path.isEmpty()) {
            return new KeyPrefix("");
        }
        try {
            return new KeyPrefix(Keys.check(path) + "/");
        } catch (IllegalArgumentException e) {
            throw new StoreException("the store's prefix: " + e.getMessage(), e);
        }
    }

    /**
     * The object's name for a key.
     *
     * @throws IllegalArgumentException when that is no key
     */
    public String name(String key) {
        return text + Keys.check(key);
    }

    /** The key of a name that begins with this prefix. */
    public String key(String name) {
        return name.substring(text.length());
    }
}
