// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * Finds, and for a new VM makes, the data key of one VM. A VM is encrypted from its first epoch on or never: what does
 * not fit is an error, never a silent change, so that nobody can put clear epochs in the place of encrypted ones.
 * Thread-safe; asks the wrapper once.
 */
final class VmKeys {
    /** Of the only data key a VM has today. */
    private static final int NUMBER = 1;

    private final ObjectStore store;
    private final String vmId;
    private final Keys keys;
    private final Optional<KeyWrapper> wrapper;
    private Optional<VmKey> found = Optional.empty();
    private boolean looked;

    VmKeys(ObjectStore store, String vmId, Optional<KeyWrapper> wrapper) {
        this.store = store;
        this.vmId = vmId;
        this.wrapper = wrapper;
        keys = new Keys(vmId);
    }

    /** For segments of manifests that {@link #of} has let pass; asks the store once at most. */
    Optional<VmKey> current() {
        return wrapper.isEmpty() ? Optional.empty() : standing();
    }

    /**
     * The key that stands in the store, or none.
     *
     * @throws WrongKeyException when the wrapper given does not fit what stands there
     */
    synchronized Optional<VmKey> standing() {
        if (!looked) {
            String key = keys.dataKey(NUMBER);
            Optional<ByteBuffer> content = store.get(key);
            if (content.isPresent()) {
                found = Optional.of(unwrap(key, content.get()));
                looked = true;
            }
        }
        return found;
    }

    /**
     * For writing: the standing key; or a new one when a wrapper is given and the VM has no epoch yet.
     *
     * @throws WrongKeyException also when the VM has clear epochs and a wrapper is given
     */
    synchronized Optional<VmKey> forWriting(boolean hasEpochs) {
        if (wrapper.isEmpty() && hasEpochs) {
            return Optional.empty(); // those epochs have been read, so they are clear
        }
        Optional<VmKey> standing = standing();
        if (standing.isPresent() || wrapper.isEmpty()) {
            return standing;
        }
        if (hasEpochs) {
            throw notEncrypted();
        }
        KeyWrapper wrapping = wrapper.get();
        byte[] fresh = VmKey.random();
        try {
            WrappedKey record =
                    new WrappedKey(WrappedKey.VERSION, vmId, NUMBER, wrapping.kind(), wrapping.wrap(fresh, vmId));
            String key = keys.dataKey(NUMBER);
            Optional<ByteBuffer> other = PutOnce.put(store, key, Records.bytes(record));
            found = Optional.of(other.isEmpty() ? new VmKey(NUMBER, fresh) : unwrap(key, other.get()));
            looked = true;
            return found;
        } finally {
            Arrays.fill(fresh, (byte) 0);
        }
    }

    /**
     * The key that a manifest says it is sealed with; 0 for a clear one.
     *
     * @throws WrongKeyException when the wrapper given does not fit that
     */
    Optional<VmKey> of(String manifestKey, int number) {
        if (number == 0) {
            if (wrapper.isPresent()) {
                throw notEncrypted();
            }
            return Optional.empty();
        }
        if (wrapper.isEmpty()) {
            throw noKeyGiven();
        }
        Optional<VmKey> standing = number == NUMBER ? standing() : Optional.empty();
        if (standing.isEmpty()) {
            // No damage of one epoch: an older one would not do either.
            throw new StoreException("object " + keys.dataKey(number) + " is missing in " + store.describe() + ", and "
                    + manifestKey + " is encrypted with the key in it: put it back from a copy");
        }
        return standing;
    }

    private VmKey unwrap(String key, ByteBuffer content) {
        WrappedKey record = Records.wrappedKey(key, content);
        if (!record.vmId().equals(vmId) || record.number() != NUMBER) {
            throw new DamagedObjectException(
                    "damaged object " + key + ": it is key " + record.number() + " of VM " + record.vmId());
        }
        KeyWrapper given = wrapper.orElseThrow(this::noKeyGiven);
        if (!given.kind().equals(record.kind())) {
            throw new WrongKeyException("VM " + vmId + " in " + store.describe() + " is encrypted with a key of kind "
                    + record.kind() + ", not with " + given.describe() + ": give the one it was started with");
        }
        byte[] dataKey = given.unwrap(record.wrapped(), vmId);
        try {
            return new VmKey(NUMBER, dataKey);
        } finally {
            Arrays.fill(dataKey, (byte) 0);
        }
    }

    private WrongKeyException noKeyGiven() {
        return new WrongKeyException("VM " + vmId + " in " + store.describe()
                + " is encrypted and no key is given: name it with --store-key, or \"key\" of the store in agent.json");
    }

    private WrongKeyException notEncrypted() {
        return new WrongKeyException("VM " + vmId + " in " + store.describe() + " is not encrypted, but the key "
                + wrapper.map(KeyWrapper::describe).orElse("") + " is given: leave it out, or give the new VM another"
                + " id to encrypt it from its start");
    }
}
