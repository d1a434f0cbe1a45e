// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.vmm.Json;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Tells the processes of this host's VMs. In order, on the thread {@code streaming-rate}: a process that does not answer
 * must not hold up the next signal.
 */
final class VmStreamingRate implements StreamingRate, AutoCloseable {
    private static final long LIMIT_MS = 5_000;
    private static final int QUEUED = 1_024;

    private final Function<String, Optional<VmRun>> runs;
    private final Events events;
    private final ThreadPoolExecutor thread =
            new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUED), task -> {
                Thread made = new Thread(task, "streaming-rate");
                made.setDaemon(true);
                return made;
            });

    VmStreamingRate(Function<String, Optional<VmRun>> runs, Events events) {
        this.runs = runs;
        this.events = events;
        thread.allowCoreThreadTimeOut(true);
    }

    @Override
    public void raise(String vmId, String reason) {
        later(vmId, true);
    }

    @Override
    public void lower(String vmId) {
        later(vmId, false);
    }

    private void later(String vmId, boolean raised) {
        try {
            thread.execute(() -> runs.apply(vmId).ifPresent(run -> set(run, raised)));
        } catch (RejectedExecutionException full) {
            events.add("streaming-rate-failed", vmId, QUEUED + " VMs wait to be told, or the agent ends");
        }
    }

    private void set(VmRun run, boolean raised) {
        String vmId = run.spec().vmId();
        try {
            run.call("rate", Json.MAPPER.createObjectNode().put("raised", raised), LIMIT_MS);
            if (!raised) {
                events.add("streaming-rate-usual", vmId, "nothing asks for more any longer");
            }
        } catch (ControlException e) {
            // A VM without a store, or one that is leaving: it streams as it can.
            events.add("streaming-rate-failed", vmId, e.getMessage());
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
