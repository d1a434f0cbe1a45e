// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import java.util.concurrent.TimeUnit;

/** Asking an agent again and again until something is over. */
final class Waiting {
    static final long CALL_LIMIT_MS = 120_000;
    private static final long START_LIMIT_MS = 600_000;
    private static final long PERIOD_MS = 150;

    private Waiting() {}

    /** Waits until a VM that was just started runs, and says so. */
    static int untilRunning(ClientOptions options, Terminal terminal, String vmId) throws InterruptedException {
        long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(START_LIMIT_MS);
        while (System.nanoTime() - limitNs < 0) {
            JsonNode vm = options.client().get(options.agent, "/v1/vms/" + vmId, CALL_LIMIT_MS);
            String state = vm.path("state").asText();
            switch (state) {
                case "FAILED", "EXITED", "HANDED_OVER" -> {
                    if (state.equals("EXITED") && vm.path("exitCode").asInt(1) == 0) {
                        return said(options, terminal, vm, vmId + " ran and has ended");
                    }
                    throw new ControlException(
                            ExitCode.FAILED,
                            vmId + " does not run: " + vm.path("message").asText(state) + " (lifeboat logs " + vmId
                                    + ")");
                }
                case "RUNNING" -> {
                    return said(options, terminal, vm, vmId + " runs");
                }
                default -> {
                    terminal.progress(vmId + ": " + state.toLowerCase(java.util.Locale.ROOT));
                    Thread.sleep(PERIOD_MS);
                }
            }
        }
        throw new ControlException(
                ExitCode.FAILED, vmId + " does not run after " + START_LIMIT_MS + " ms; see: lifeboat logs " + vmId);
    }

    /** Waits until an evacuation is over, and says how it went. */
    static int untilEvacuated(ClientOptions options, Terminal terminal, String vmId) throws InterruptedException {
        while (true) {
            JsonNode move = options.client().get(options.agent, "/v1/vms/" + vmId + "/evacuation", CALL_LIMIT_MS);
            switch (move.path("state").asText()) {
                case "DONE" -> {
                    return said(
                            options,
                            terminal,
                            move,
                            vmId + " runs on " + move.path("target").asText() + "; switched after "
                                    + move.path("noticeToSwitchMs").asLong() + " ms, this host is free after "
                                    + move.path("noticeToSourceFreeMs").asLong() + " ms");
                }
                case "FAILED" ->
                    throw new ControlException(
                            ExitCode.FAILED, move.path("message").asText("the evacuation failed"));
                default -> {
                    // Bounded by the evacuation's own deadline.
                    terminal.progress(vmId + ": " + move.path("state").asText().toLowerCase(java.util.Locale.ROOT)
                            + " to " + move.path("target").asText());
                    Thread.sleep(PERIOD_MS);
                }
            }
        }
    }

    private static int said(ClientOptions options, Terminal terminal, JsonNode json, String line) {
        if (options.json) {
            terminal.json(json);
        } else {
            terminal.line(line);
        }
        return ExitCode.OK;
    }
}
