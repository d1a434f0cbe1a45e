// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/** Opens the place that keeps a fleet's owner records by URL: an etcd cluster, or any store. */
public final class OwnerRegistries {
    private static final String ETCD = "etcd://";

    private OwnerRegistries() {}

    /**
     * @param url {@code etcd://host:port[,host:port...]/prefix} or what {@link ObjectStores#open} takes
     * @param endpoint as for {@link ObjectStores#open}
     * @param region as for {@link ObjectStores#open}
     * @throws StoreException when the URL is not understood; a server is first called when the registry is first used
     */
    public static FleetRegistry open(String url, Optional<String> endpoint, Optional<String> region) {
        if (url.startsWith(ETCD)) {
            return StoreLibraries.findRegistry("etcd")
                    .orElseThrow(() -> new StoreException("'" + url
                            + "' needs the library etcd-registry, which is not here: name the folder of its jars with"
                            + " -D"
                            + StoreLibraries.FOLDERS + "=FOLDER, or keep the owner records in the store"))
                    .open(url);
        }
        return in(ObjectStores.open(url, endpoint, region));
    }

    /** Owner records in a store, which is closed with the registry. */
    public static FleetRegistry in(ObjectStore store) {
        return new FleetRegistry() {
            @Override
            public OwnerRegistry owners(String vmId) {
                return new ObjectOwnerRegistry(store, vmId);
            }

            @Override
            public String describe() {
                return store.describe();
            }

            @Override
            public void close() {
                store.close();
            }
        };
    }
}
