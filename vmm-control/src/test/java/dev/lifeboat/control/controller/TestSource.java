// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.control.cloud.SignalSink;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** Says what the test says. */
public final class TestSource implements PreemptionSource {
    private final CountDownLatch watched = new CountDownLatch(1);
    private volatile SignalSink sink;

    @Override
    public String name() {
        return "test-events";
    }

    @Override
    public void watch(SignalSink to) throws InterruptedException {
        sink = to;
        watched.countDown();
        Thread.sleep(Long.MAX_VALUE);
    }

    /** All that stands. */
    public void say(Signal... signals) throws InterruptedException {
        watched.await();
        sink.standing(name(), List.of(signals));
    }

    public void fail(String why) throws InterruptedException {
        watched.await();
        sink.failed(name(), why);
    }
}
