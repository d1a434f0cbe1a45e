// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import dev.lifeboat.store.FleetRegistry;
import dev.lifeboat.store.OwnerRegistryProvider;

/** Opens {@code etcd://} registries. */
public final class EtcdProvider implements OwnerRegistryProvider {
    @Override
    public String scheme() {
        return "etcd";
    }

    @Override
    public FleetRegistry open(String url) {
        return new EtcdFleetRegistry(EtcdUrl.parse(url));
    }
}
