// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * Who may run the VM under a term: the content of {@code vm/<id>/owner/<term>}.
 *
 * @param version of this record's format
 * @param term the fencing number, from 1
 * @param host the owner's name
 * @param nonce random; tells our own record from another's after a time-out
 * @param createdAtMillis wall clock of the creator, for people only: nothing is decided by it
 * @param leaseMillis after the next term's record was created, so long the guest may still run under this term or an
 *     earlier one: who takes over without a word from this owner waits it out. 0 in strict mode (docs/protocol.md,
 *     "Ownership"); absent in version 1
 */
public record OwnerRecord(
        int version, String vmId, long term, String host, String nonce, long createdAtMillis, long leaseMillis) {
    public static final int OLDEST_VERSION = 1;
    public static final int VERSION = 2;

    /** Of strict mode. */
    public OwnerRecord(int version, String vmId, long term, String host, String nonce, long createdAtMillis) {
        this(version, vmId, term, host, nonce, createdAtMillis, 0);
    }

    public OwnerRecord withLeaseMillis(long millis) {
        return new OwnerRecord(version, vmId, term, host, nonce, createdAtMillis, millis);
    }
}
