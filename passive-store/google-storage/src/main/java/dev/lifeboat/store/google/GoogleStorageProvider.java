// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStoreProvider;
import java.util.Optional;

/** Opens {@code gs://} stores; found by {@link java.util.ServiceLoader}. */
public final class GoogleStorageProvider implements ObjectStoreProvider {
    @Override
    public String scheme() {
        return "gs";
    }

    /** A server that is not Google's is an emulator, and gets no credentials of this machine. */
    @Override
    public ObjectStore open(String url, Optional<String> endpoint, Optional<String> region) {
        return GoogleObjectStore.open(url, endpoint, endpoint.isPresent() ? request -> {} : new MachineCredentials());
    }
}
