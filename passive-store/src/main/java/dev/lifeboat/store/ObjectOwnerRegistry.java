// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
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
            String key = found.get(i);
            if (keys.termOf(key).isEmpty()) {
                LOG.warn("ignoring {} in {}: it is not an owner record", key, store.describe());
                continue;
            }
            Optional<ByteBuffer> content = store.get(key);
            if (content.isPresent()) {
                return Optional.of(read(key, content.get()));
            }
        }
        return Optional.empty();
    }

    @Override
    public OwnerRecord claim(OwnerRecord record) {
        if (!record.vmId().equals(vmId) || record.term() < 1) {
            throw new IllegalArgumentException("not a record of VM " + vmId + ": " + record);
        }
        String key = keys.owner(record.term());
        Optional<ByteBuffer> standing = PutOnce.put(store, key, Records.bytes(record));
        return standing.isEmpty() ? record : read(key, standing.get());
    }

    private OwnerRecord read(String key, ByteBuffer content) {
        OwnerRecord record = Records.owner(key, content);
        if (!record.vmId().equals(vmId) || record.term() != keys.termOf(key).orElse(-1)) {
            throw new DamagedObjectException("damaged object " + key + ": it is the record of another key: " + record);
        }
        return record;
    }
}
