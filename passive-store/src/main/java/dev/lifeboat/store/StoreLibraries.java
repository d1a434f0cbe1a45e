// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/** Finds the provider of a scheme: on the class path, else in one of the folders of jars that {@link #FOLDERS} names. */
final class StoreLibraries {
    /** System property: folders of jars, separated as in a class path; a folder that is not there is passed over. */
    static final String FOLDERS = "lifeboat.stores";

    private StoreLibraries() {}

    static Optional<ObjectStoreProvider> find(String scheme) {
        return find(scheme, System.getProperty(FOLDERS, ""));
    }

    static Optional<ObjectStoreProvider> find(String scheme, String folders) {
        return LibraryFolders.find(
                ObjectStoreProvider.class, provider -> provider.scheme().equals(scheme), folders);
    }

    static Optional<OwnerRegistryProvider> findRegistry(String scheme) {
        return LibraryFolders.find(
                OwnerRegistryProvider.class,
                provider -> provider.scheme().equals(scheme),
                System.getProperty(FOLDERS, ""));
    }
}
