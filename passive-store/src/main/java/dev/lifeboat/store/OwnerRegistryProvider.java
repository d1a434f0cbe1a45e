// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * A registry that is no store, found by the scheme of its URL: {@link OwnerRegistries} asks {@link
 * java.util.ServiceLoader}, so that its libraries are only where it is used.
 */
public interface OwnerRegistryProvider {
    /** What stands before {@code ://}, such as {@code etcd}. */
    String scheme();

    /**
     * As {@link OwnerRegistries#open}; the servers are first called when the registry is first used.
     *
     * @throws StoreException when the URL is not understood
     */
    FleetRegistry open(String url);
}
