// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/**
 * Decides who owns one VM (invariant I1): the owner of a term is whoever created its record. Thread-safe.
 *
 * <p>Terms have no gaps: only who has seen the record of term N claims N + 1, so "is there a record of N + 1" is the same
 * question as "has somebody followed the owner of N".
 */
public interface OwnerRegistry {
    /** The record of the highest term. */
    Optional<OwnerRecord> newest();

    /**
     * The record of one term. What was created before this call began is seen: a lease is renewed by the answer that
     * the next term has no record yet.
     */
    Optional<OwnerRecord> of(long term);

    /**
     * Tries to create the record of {@code record.term()}.
     *
     * @return the record that now stands for that term: equal to {@code record} when this call, or an earlier one with the
     *     same record, won (an unclear answer of the store is resolved by reading back and comparing)
     * @throws StoreException when the outcome could not be found out; the caller must stay stopped
     */
    OwnerRecord claim(OwnerRecord record);

    /** Where this is, for messages: never with credentials. */
    String describe();
}
