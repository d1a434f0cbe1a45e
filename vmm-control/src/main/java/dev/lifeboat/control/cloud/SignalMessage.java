// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * A {@link Signal} as it is written down: in a request to an agent, and in a trace. Monotonic clocks mean nothing to another
 * process, so that the deadline is what is left of it.
 *
 * @param eventId what does not change from report to report; the action unless set
 * @param deadlineInMs from when it is said; absent when the cloud names none
 * @param confidence MEDIUM unless set
 */
public record SignalMessage(
        String eventId,
        Signal.Kind kind,
        String action,
        Optional<Long> deadlineInMs,
        Signal.Confidence confidence,
        String detail) {
    public SignalMessage {
        if (kind == null || action == null || action.isBlank()) {
            throw new IllegalArgumentException("a signal needs \"kind\" (HINT, NOTICE or SHUTDOWN) and \"action\"");
        }
        eventId = eventId == null ? action : eventId;
        deadlineInMs = deadlineInMs == null ? Optional.empty() : deadlineInMs;
        confidence = confidence == null ? Signal.Confidence.MEDIUM : confidence;
        detail = detail == null ? "" : detail;
    }

    public static SignalMessage of(Signal signal, Clocks clocks) {
        return new SignalMessage(
                signal.eventId(),
                signal.kind(),
                signal.action(),
                signal.deadlineNs().isPresent()
                        ? Optional.of(clocks.leftMillis(signal.deadlineNs().getAsLong()))
                        : Optional.empty(),
                signal.confidence(),
                signal.detail());
    }

    /** @param instance empty: the host that listens */
    public Signal toSignal(String source, String instance, Clocks clocks) {
        OptionalLong deadlineNs =
                deadlineInMs.map(ms -> OptionalLong.of(clocks.inMillis(ms))).orElse(OptionalLong.empty());
        return new Signal(source, instance, eventId, kind, action, deadlineNs, confidence, detail);
    }
}
