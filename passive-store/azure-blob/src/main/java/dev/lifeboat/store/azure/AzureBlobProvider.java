// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.azure;

import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStoreProvider;
import java.util.Optional;

/** Opens {@code azblob://} stores; found by {@link java.util.ServiceLoader}. */
public final class AzureBlobProvider implements ObjectStoreProvider {
    @Override
    public String scheme() {
        return "azblob";
    }

    @Override
    public ObjectStore open(String url, Optional<String> endpoint, Optional<String> region) {
        return AzureBlobObjectStore.open(url, endpoint);
    }
}
