// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicLong;

/** Goes on by a fixed step whenever it is read, so that what a fake does in minutes takes a few requests. Any thread. */
final class TickingClock implements InstantSource {
    private static final Instant START = Instant.parse("2026-11-27T12:00:00Z");

    private final Duration step;
    private final AtomicLong readings = new AtomicLong();

    TickingClock(Duration step) {
        this.step = step;
    }

    @Override
    public Instant instant() {
        return START.plus(step.multipliedBy(readings.incrementAndGet()));
    }
}
