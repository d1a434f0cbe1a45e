// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Runs a source on its thread and keeps what it says. */
public final class RecordingSink implements SignalSink, AutoCloseable {
    public final List<List<Signal>> reports = new CopyOnWriteArrayList<>();
    public final List<String> failures = new CopyOnWriteArrayList<>();
    private final Thread thread;
    private volatile boolean died = true;

    public RecordingSink(PreemptionSource source) {
        thread = new Thread(
                () -> {
                    try {
                        source.watch(this);
                    } catch (InterruptedException e) {
                        died = false;
                    }
                },
                "signal-" + source.name());
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void standing(String source, List<Signal> signals) {
        reports.add(signals);
    }

    @Override
    public void failed(String source, String why) {
        failures.add(why);
    }

    public List<Signal> last() {
        return reports.isEmpty() ? List.of() : reports.get(reports.size() - 1);
    }

    /** The one signal that stands, once there is one. */
    public Signal awaitSignal() throws InterruptedException {
        await(() -> !last().isEmpty(), "a signal");
        return last().get(0);
    }

    public void awaitCalm() throws InterruptedException {
        int seen = reports.size();
        await(() -> reports.size() > seen && last().isEmpty(), "a report of nothing");
    }

    public void awaitFailure(String part) throws InterruptedException {
        await(() -> failures.stream().anyMatch(why -> why.contains(part)), "a failure with " + part);
    }

    public void await(BooleanSupplier condition, String what) throws InterruptedException {
        long limitNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - limitNs > 0 || !thread.isAlive()) {
                throw new AssertionError((thread.isAlive() ? "waited 20 s for " : "the source has ended, no ") + what
                        + "; reports " + reports.size() + ", last " + last() + ", failures " + failures);
            }
            Thread.sleep(5);
        }
    }

    /** A source ends when it is interrupted and not before. */
    @Override
    public void close() throws InterruptedException {
        thread.interrupt();
        thread.join(20_000);
        if (thread.isAlive() || died) {
            throw new AssertionError("the source did not end as it should");
        }
    }
}
