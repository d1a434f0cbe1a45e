// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * Encrypts ("wraps") the data keys of VMs under a key that the store never sees: one from a file, or one that a key
 * management service keeps. Thread-safe; used once when a VM's store is opened.
 */
public interface KeyWrapper {
    /** Stands in the key object, so that another kind is told from a wrong key: {@code file}, {@code aws-kms}. */
    String kind();

    /** @param vmId bound to the result: it unwraps for this VM only */
    byte[] wrap(byte[] dataKey, String vmId);

    /** @throws WrongKeyException when it was not wrapped by this key for this VM */
    byte[] unwrap(byte[] wrapped, String vmId);

    /** Where the key is, for messages: never the key. */
    String describe();

    /**
     * @param url {@code file:/path} or {@code aws-kms:<key ARN>}
     * @throws StoreException when it is neither; a file is checked at once, a key management service when it is used
     */
    static KeyWrapper open(String url) {
        if (url.startsWith(FileKeyWrapper.SCHEME)) {
            return FileKeyWrapper.open(url);
        }
        if (url.startsWith(KmsKeyWrapper.SCHEME)) {
            return KmsKeyWrapper.open(url);
        }
        throw new StoreException("'" + url + "' names no store key: use file:/path or aws-kms:<key ARN>");
    }
}
