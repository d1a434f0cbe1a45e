// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.PageSink;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.store.VmStore;
import java.util.Optional;

/** A store as one host reaches it: its line to the registry can be cut, apart from the others' lines. */
final class HostStore implements VmStore {
    private final VmStore store;
    /** Nothing reaches the registry. */
    volatile boolean cut;
    /** Runs before each claim. */
    volatile Runnable beforeClaim = () -> {};
    /** Claims that were begun. */
    volatile int claims;

    HostStore(VmStore store) {
        this.store = store;
    }

    @Override
    public String vmId() {
        return store.vmId();
    }

    @Override
    public OwnerRegistry owners() {
        OwnerRegistry owners = store.owners();
        return new OwnerRegistry() {
            private void line() {
                if (cut) {
                    throw new StoreException("this host is cut off from the registry");
                }
            }

            @Override
            public Optional<OwnerRecord> newest() {
                line();
                return owners.newest();
            }

            @Override
            public Optional<OwnerRecord> of(long term) {
                line();
                return owners.of(term);
            }

            @Override
            public OwnerRecord claim(OwnerRecord record) {
                claims++;
                beforeClaim.run();
                line();
                return owners.claim(record);
            }

            @Override
            public String describe() {
                return owners.describe();
            }
        };
    }

    @Override
    public EpochWriter writer(OwnerRecord owner, VmShape shape) {
        return store.writer(owner, shape);
    }

    @Override
    public Optional<EpochManifest> newestWhole() {
        return store.newestWhole();
    }

    @Override
    public Optional<EpochManifest> epoch(long number) {
        return store.epoch(number);
    }

    @Override
    public RestoreStats restore(EpochManifest manifest, int space, PageSink sink) {
        return store.restore(manifest, space, sink);
    }
}
