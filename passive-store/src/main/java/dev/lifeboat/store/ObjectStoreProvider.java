// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/**
 * A further kind of store, found by the scheme of its URL: {@link ObjectStores} asks {@link java.util.ServiceLoader},
 * so that the libraries of a cloud are only where its stores are used.
 */
public interface ObjectStoreProvider {
    /** What stands before {@code ://}, such as {@code gs}. */
    String scheme();

    /**
     * As {@link ObjectStores#open}; the cloud is first called when the store is first used.
     *
     * @param url that begins with {@link #scheme()} and {@code ://}
     * @throws StoreException when URL or endpoint are not understood
     */
    ObjectStore open(String url, Optional<String> endpoint, Optional<String> region);
}
