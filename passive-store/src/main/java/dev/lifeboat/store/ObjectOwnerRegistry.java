// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Owner records as objects of the store, created by put-if-absent. Thread-safe. */
final class ObjectOwnerRegistry implements OwnerRegistry {
    private static final Logger LOG = LoggerFactory.getLogger(ObjectOwnerRegistry.class);

    private final ObjectStore store;
    private final String vmId;
    private final Keys keys;

    ObjectOwnerRegistry(ObjectStore store, String vmId) {
        this.store = store;
        this.vmId = vmId;
        keys = new Keys(vmId);
    }

    @Override
    public Optional<OwnerRecord> newest() {
        // Terms count moves of one VM, so the list is short.
        List<String> found = store.list(keys.ownerPrefix(), Integer.MAX_VALUE);
        for (int i = found.size() - 1; i >= 0; i--) {
            OptionalLong term = keys.termOf(found.get(i));
            if (term.isEmpty()) {
                LOG.warn("ignoring {} in {}: it is not an owner record", found.get(i), store.describe());
                continue;
            }
            Optional<OwnerRecord> record = of(term.getAsLong());
            if (record.isPresent()) {
                return record;
            }
        }
        return Optional.empty();
    }

    @Override
    public Optional<OwnerRecord> of(long term) {
        return store.get(keys.owner(term)).map(content -> OwnerRecords.read(vmId, term, content));
    }

    @Override
    public OwnerRecord claim(OwnerRecord record) {
        OwnerRecords.check(vmId, record);
        Optional<ByteBuffer> standing = PutOnce.put(store, keys.owner(record.term()), OwnerRecords.bytes(record));
        return standing.isEmpty() ? record : OwnerRecords.read(vmId, record.term(), standing.get());
    }

    @Override
    public String describe() {
        return store.describe();
    }
}
