// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.OptionalLong;

/**
 * What a cloud says about the end of a host, as long as it says so.
 *
 * @param source name of the {@link PreemptionSource}
 * @param instance the cloud's name of the host that it is about; empty: the host that listens
 * @param eventId the cloud's own, or one made of what does not change from look to look
 * @param kind how sure and how near it is
 * @param action as the cloud says: terminate, stop, hibernate, Preempt, Redeploy, ...
 * @param deadlineNs on the clock of {@link System#nanoTime}; empty when the cloud names none
 * @param confidence in the kind and the deadline
 * @param detail for people
 */
public record Signal(
        String source,
        String instance,
        String eventId,
        Kind kind,
        String action,
        OptionalLong deadlineNs,
        Confidence confidence,
        String detail) {

    /** From the weakest to the strongest. */
    public enum Kind {
        /** The host may go away soon. */
        HINT,
        /** The host goes away at the deadline. */
        NOTICE,
        /** The host is going down now. */
        SHUTDOWN
    }

    public enum Confidence {
        /** Often wrong, such as a rebalance recommendation. */
        LOW,
        /** The deadline is assumed, or the announcement can be withdrawn. */
        MEDIUM,
        /** The cloud's word with the cloud's deadline. */
        HIGH
    }
}
