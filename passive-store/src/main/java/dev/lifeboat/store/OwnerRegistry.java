// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/** Decides who owns a VM (invariant I1): the owner of a term is whoever created its record. Thread-safe. */
public interface OwnerRegistry {
    /** The record of the highest term. */
    Optional<OwnerRecord> newest();

    /**
     * Tries to create the record of {@code record.term()}.
     *
     * @return the record that now stands for that term: equal to {@code record} when this call won (an unclear answer
     *     of the store is resolved by reading back and comparing the nonce)
     * @throws StoreException when the outcome could not be found out; the caller must stay stopped
     */
    OwnerRecord claim(OwnerRecord record);
}
