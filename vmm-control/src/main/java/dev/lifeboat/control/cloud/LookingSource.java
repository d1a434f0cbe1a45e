// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A source that looks again and again, on the thread that calls {@link #watch}. After an error it waits longer from time
 * to time, with jitter so that hosts of a fleet do not come back to a service all at once, but never longer than
 * {@value #MAX_BACKOFF_MS} ms: on some clouds a whole notice is 30 s.
 */
public abstract class LookingSource implements PreemptionSource {
    /** A tenth of the shortest promised notice. */
    static final long MAX_BACKOFF_MS = 3_000;

    private static final long FIRST_BACKOFF_MS = 250;

    private final String name;
    private final long pauseMs;

    /** @param pauseMs between a look that succeeds and the next */
    protected LookingSource(String name, long pauseMs) {
        this.name = name;
        this.pauseMs = pauseMs;
    }

    /** What stands now. */
    protected abstract List<Signal> look() throws IOException, InterruptedException;

    /** Loads what only a signal needs, before there is one: on a busy host classes take seconds. */
    protected void prepare() throws IOException {}

    /** What is to be done once the sink knows; its failure is told and changes nothing of what stands. */
    protected void afterLook() throws IOException {}

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final void watch(SignalSink sink) throws InterruptedException {
        try {
            prepare();
        } catch (IOException e) {
            throw new IllegalStateException("a signal of the right shape is not understood", e);
        }
        long backoffMs = FIRST_BACKOFF_MS;
        while (true) {
            long waitMs = pauseMs;
            try {
                sink.standing(name, look());
                afterLook();
                backoffMs = FIRST_BACKOFF_MS;
            } catch (IOException e) {
                sink.failed(name, e.getMessage());
                waitMs = Math.max(waitMs, jittered(backoffMs));
                backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS);
            } catch (RuntimeException e) {
                sink.failed(name, "unexpected: " + e);
                waitMs = MAX_BACKOFF_MS;
            }
            Thread.sleep(waitMs);
        }
    }

    private static long jittered(long ms) {
        return ms / 2 + ThreadLocalRandom.current().nextLong(ms / 2 + 1);
    }
}
