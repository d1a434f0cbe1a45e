// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes;

import java.time.Duration;
import java.util.Optional;

/**
 * What goes wrong with one request.
 *
 * @param delay before anything is done
 * @param takesEffect whether the service does what was asked before it goes wrong
 * @param instead the answer in place of the right one; empty with {@code cut}: none at all
 * @param cut the connection is cut: without an answer, or in the middle of its body when there is one
 */
public record Fault(Duration delay, boolean takesEffect, Optional<FakeAnswer> instead, boolean cut) {
    public static Fault slow(Duration delay) {
        return new Fault(delay, true, Optional.empty(), false);
    }

    public static Fault status(FakeAnswer instead) {
        return new Fault(Duration.ZERO, false, Optional.of(instead), false);
    }

    /** It happened, and the caller does not hear of it. */
    public static Fault lostAnswer() {
        return new Fault(Duration.ZERO, true, Optional.empty(), true);
    }

    /** Nothing happened, and the caller does not hear of that either. */
    public static Fault lostRequest() {
        return new Fault(Duration.ZERO, false, Optional.empty(), true);
    }

    /** The answer begins and does not end. */
    public static Fault halfAnswer(FakeAnswer begun) {
        return new Fault(Duration.ZERO, true, Optional.of(begun), true);
    }
}
