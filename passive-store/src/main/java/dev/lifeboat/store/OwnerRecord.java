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
 */
public record OwnerRecord(int version, String vmId, long term, String host, String nonce, long createdAtMillis) {
    public static final int VERSION = 1;
}
