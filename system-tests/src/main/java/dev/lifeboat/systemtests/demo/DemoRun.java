// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.HostAgent;
import dev.lifeboat.systemtests.load.LoadReport;
import dev.lifeboat.systemtests.net.PcapStats;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The steps of the demo on a fabric that is ready, on the calling thread. */
final class DemoRun {

    private static final String VM = "redis";
    private static final String GUEST = "redis-guest";
    private static final int GUEST_NUMBER = 10;
    private static final String GUEST_MAC = "52:54:00:88:01:0a";
    private static final Duration GUEST_LIMIT = Duration.ofSeconds(400);
    private static final Duration LOAD_LIMIT = Duration.ofSeconds(150);
    private static final Duration EPOCH_LIMIT = Duration.ofSeconds(300);
    private static final Duration TARGET_LIMIT = Duration.ofSeconds(300);
    /** From the target that a hint brought to the notice. */
    private static final long HINT_LEAD_MS = 60_000;
    /** Enough epochs that the first, which holds everything, is behind, and ordinary ones have been made. */
    private static final int LEAST_EPOCHS = 5;

    /** An answer costs a host on a software processor tens of milliseconds, and the first ones hundreds. */
    private static final long POLL_MS = 2_000;
    /** Few enough that reading all of them again takes seconds, on a processor twenty times slower than a real one. */
    private static final int KEYS = 500;
    /** Leaves the one processor of host A some time for streaming. */
    private static final int OPERATIONS_PER_SECOND = 100;

    private static final int SECONDS_AFTER_THE_END_OF_A = 6;

    private final EmulatedFabric fabric;
    private final DemoOptions options;
    private final Timeline timeline;
    private final HostAgent hostA;
    private String targetState = "";
    private long targetAcquireMs = -1;
    private final List<String> failures = new ArrayList<>();

    DemoRun(EmulatedFabric fabric, DemoOptions options, Timeline timeline) {
        this.fabric = fabric;
        this.options = options;
        this.timeline = timeline;
        hostA = fabric.agent("host-a");
    }

    /** What did not hold; empty after a good run. */
    List<String> failures() {
        return failures;
    }

    DemoReport run() throws IOException, InterruptedException, DemoFailure {
        startGuest();
        startClient();
        if (!options.slowMachine()) {
            startOtherHosts();
        }
        awaitGuest();
        if (options.slowMachine()) {
            startOtherHosts();
        }
        startLoad();
        awaitOtherHost();
        JsonNode before = streamForAWhile();
        Optional<DemoCloudKind> cloud = options.cloud().map(DemoCloud::kind);
        if (cloud.isPresent() && cloud.get().hints()) {
            fabric.metadata("host-a").hint();
            timeline.event("HINT: " + cloud.get().hint() + ", which names no time");
            awaitTarget();
        }

        Instant deadline = Instant.now().plusSeconds(options.warningSeconds());
        long announcedMs = System.currentTimeMillis();
        fabric.metadata("host-a").announce(deadline);
        timeline.event("NOTICE: the cloud takes host-a away in " + options.warningSeconds() + " s");
        JsonNode evacuation = followEvacuation(deadline);
        double detectionMs = detectionMs(evacuation, announcedMs);
        fabric.collect("host-a");
        awaitDeadline(deadline);
        fabric.powerOff("host-a");
        check(!fabric.machine("host-a").isAlive(), "host-a is still running");
        LoadReport atEndOfA = fabric.load().report();
        timeline.event("host-a is powered off; the client has " + atEndOfA.operations() + " answers");

        watchClient(TimeUnit.SECONDS.toMillis(SECONDS_AFTER_THE_END_OF_A));
        LoadReport client = fabric.load().finish();
        timeline.event("client finished: " + client.operations() + " operations, all " + client.acknowledgedKeys()
                + " keys read again");
        PcapStats traffic = fabric.clientTraffic();
        return judge(before, evacuation, detectionMs, atEndOfA, client, traffic);
    }

    private void startGuest() {
        hostA.run(new VmSpec(
                VM,
                options.memoryMib(),
                1,
                EmulatedFabric.guestFile(GUEST, "vmlinuz"),
                Optional.of(EmulatedFabric.guestFile(GUEST, "initrd")),
                "console=ttyS0 quiet loglevel=3 panic=1 reboot=k lifeboat.maxmemory=" + options.memoryMib() / 2 + "mb "
                        + EmulatedFabric.guestNetworkArguments(GUEST_NUMBER),
                Optional.of(GUEST_MAC),
                List.of(),
                VmSpec.defaultEpochIntervalMs(),
                // The host that is bought has a name of its own.
                Optional.of("host-b").filter(name -> options.cloud().isEmpty())));
        timeline.event("microVM \"" + VM + "\" (" + options.memoryMib() + " MiB) starts on host-a");
    }

    /** While the guest boots, and before host B: small, and it is needed first. */
    private void startClient() throws IOException, InterruptedException {
        fabric.startClient();
        timeline.event("the client starts");
        fabric.awaitClient();
        fabric.startLoad(
                EmulatedFabric.guestAddress(GUEST_NUMBER),
                "--hold",
                "--keys",
                String.valueOf(KEYS),
                "--rate",
                String.valueOf(OPERATIONS_PER_SECOND));
    }

    private void awaitGuest() throws IOException, InterruptedException, DemoFailure {
        long limitNs = System.nanoTime() + GUEST_LIMIT.toNanos();
        while (!hostA.console(VM).contains("lifeboat-redis: ready")) {
            JsonNode status = hostA.status(VM);
            String state = status.path("state").asText();
            if (state.equals("FAILED") || state.equals("EXITED")) {
                throw new DemoFailure(
                        "the microVM ended: " + status.path("message").asText(state));
            }
            require(limitNs, "Redis in the guest did not get ready within " + GUEST_LIMIT.toSeconds() + " s");
            timeline.progress("guest boots");
            Thread.sleep(POLL_MS);
        }
        timeline.event("Redis is ready in the guest");
        fabric.awaitHealth("gateway");
    }

    private void startOtherHosts() throws IOException {
        if (options.cloud().isEmpty()) {
            fabric.startOtherHosts();
            timeline.event("host-b starts, which the guest will go to");
        }
    }

    /** A notice is no use before there is anywhere to go. */
    private void awaitOtherHost() throws IOException, InterruptedException {
        if (options.cloud().isEmpty()) {
            fabric.awaitHealth("host-b");
            timeline.event("host-b answers");
        }
    }

    /** The controller buys it, the fake control plane launches a machine, its agent enrols. */
    private void awaitTarget() throws IOException, InterruptedException, DemoFailure {
        long limitNs = System.nanoTime() + TARGET_LIMIT.toNanos();
        while (!targetIsReady()) {
            require(limitNs, "no target within " + TARGET_LIMIT.toSeconds() + " s: " + targetState);
            timeline.progress(
                    "target: " + targetState + "; " + describe(fabric.load().report()));
            Thread.sleep(POLL_MS);
        }
        // Minutes on a cloud; here it is enough that the new host has its spare process.
        watchClient(HINT_LEAD_MS);
    }

    private boolean targetIsReady() throws DemoFailure {
        if (options.cloud().isEmpty() || targetAcquireMs >= 0) {
            return targetAcquireMs >= 0;
        }
        JsonNode target = options.cloud().get().target(VM);
        String state = target.path("state").asText().toLowerCase(Locale.ROOT);
        if (!state.equals(targetState)) {
            targetState = state;
            timeline.event("target: " + state
                    + Optional.of(target.path("message").asText())
                            .filter(text -> !text.isEmpty())
                            .map(text -> " (" + text + ")")
                            .orElse(""));
        }
        if (state.equals("ready")) {
            targetAcquireMs = target.path("targetAcquireMs").asLong(-1);
            timeline.event(target.path("host").asText() + " ("
                    + target.path("priceClass").asText() + ") is bought, booted and enrolled after " + targetAcquireMs
                    + " ms");
        }
        return state.equals("ready");
    }

    private void startLoad() throws IOException, InterruptedException, DemoFailure {
        long limitNs = System.nanoTime() + LOAD_LIMIT.toNanos();
        while (true) {
            try {
                fabric.load().begin();
                LoadReport report = fabric.load().report();
                if (report.operations() > 0) {
                    break;
                }
                if (report.errors() > 0) {
                    throw new DemoFailure("the client cannot reach Redis: " + report.firstError());
                }
            } catch (IOException notYet) {
                timeline.progress("client starts");
            }
            require(limitNs, "the client got no answer from Redis within " + LOAD_LIMIT.toSeconds() + " s");
            Thread.sleep(POLL_MS);
        }
        timeline.event("client: one TCP connection through the gateway, numbered writes");
    }

    /** The status of the VM right before the notice. */
    private JsonNode streamForAWhile() throws IOException, InterruptedException, DemoFailure {
        long endNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(options.loadSeconds());
        long limitNs = System.nanoTime() + EPOCH_LIMIT.toNanos();
        long seen = 0;
        while (true) {
            JsonNode status = hostA.status(VM);
            long epochs = status.path("epochs").asLong();
            if (epochs > 0 && seen == 0) {
                timeline.event("first epoch is in the store: "
                        + mib(status.path("bytesStreamed").asLong()));
            }
            seen = epochs;
            LoadReport load = fabric.load().report();
            timeline.progress(describe(load) + ", epochs " + epochs + ", streamed "
                    + mib(status.path("bytesStreamed").asLong()));
            if (epochs >= LEAST_EPOCHS && System.nanoTime() - endNs >= 0) {
                timeline.event(epochs + " epochs, "
                        + mib(status.path("bytesStreamed").asLong()) + " streamed; " + describe(load));
                return status;
            }
            require(
                    limitNs,
                    "only " + epochs + " epochs within " + EPOCH_LIMIT.toSeconds() + " s; the last error: "
                            + status.path("streamError").asText("none"));
            Thread.sleep(POLL_MS);
        }
    }

    private JsonNode followEvacuation(Instant deadline) throws IOException, InterruptedException, DemoFailure {
        String last = "";
        while (true) {
            JsonNode evacuation;
            try {
                evacuation = hostA.evacuation(VM);
            } catch (ApiError | ControlException notYet) {
                evacuation = com.fasterxml.jackson.databind.node.MissingNode.getInstance();
            }
            String state = evacuation.path("state").asText("");
            if (!state.equals(last)) {
                last = state;
                timeline.event("evacuation: " + state.toLowerCase(Locale.ROOT)
                        + (evacuation.path("target").asText("").isEmpty()
                                ? ""
                                : " (to " + evacuation.path("target").asText() + ")"));
            }
            targetIsReady();
            if (state.equals("DONE")) {
                timeline.event(describeBlackout(evacuation.path("report")));
                return evacuation;
            }
            if (state.equals("FAILED") || Instant.now().isAfter(deadline)) {
                throw new DemoFailure("the guest did not get off host-a before the deadline: "
                        + evacuation.path("message").asText("state " + (state.isEmpty() ? "no notice seen" : state)));
            }
            timeline.progress(describe(fabric.load().report()));
            Thread.sleep(POLL_MS);
        }
    }

    /** From the announcement to the agent's decision, both on the harness's clock. */
    private double detectionMs(JsonNode evacuation, long announcedMs) {
        long askedMs = System.currentTimeMillis();
        long hostMs = hostA.health().path("atMillis").asLong();
        long offsetMs = hostMs - (askedMs + System.currentTimeMillis()) / 2;
        return Math.max(0, evacuation.path("askedAtMillis").asLong() - offsetMs - announcedMs);
    }

    private void awaitDeadline(Instant deadline) throws IOException, InterruptedException {
        watchClient(Math.max(0, Duration.between(Instant.now(), deadline).toMillis()));
    }

    private void watchClient(long millis) throws IOException, InterruptedException {
        long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (System.nanoTime() - endNs < 0) {
            timeline.progress(describe(fabric.load().report()));
            Thread.sleep(Math.max(1, Math.min(POLL_MS, TimeUnit.NANOSECONDS.toMillis(endNs - System.nanoTime()))));
        }
    }

    private DemoReport judge(
            JsonNode before,
            JsonNode evacuation,
            double detectionMs,
            LoadReport atEndOfA,
            LoadReport client,
            PcapStats traffic) {
        JsonNode report = evacuation.path("report");
        boolean hashEqual = report.path("memoryHashEqual").asBoolean(false);
        check(client.errors() == 0, "the client saw " + client.errors() + " errors; the first: " + client.firstError());
        check(client.reconnects() == 0, "the client had to connect again " + client.reconnects() + " times");
        check(client.lostWrites() == 0, client.lostWrites() + " acknowledged writes are lost");
        check(client.acknowledgedKeys() > 0, "the client wrote nothing");
        check(client.operations() > atEndOfA.operations(), "the client got no answer after the end of host-a");
        check(traffic.tcpSegments() > 0, "the recording of the client's port holds no TCP segment");
        check(!traffic.truncated(), "the recording of the client's port is damaged");
        check(traffic.rstPackets() == 0, traffic.rstPackets() + " TCP resets at the client's port");
        check(traffic.synPackets() == 1, "the client opened " + traffic.synPackets() + " connections, not one");
        check(hashEqual, "the guest's memory was not shown to be equal at pause and at resume");
        JsonNode now = fabric.agent("host-b").status(VM);
        check(
                now.path("state").asText().equals("RUNNING"),
                "the guest is " + now.path("state").asText() + " on host-b");
        double warningUsedMs = evacuation.path("noticeToSourceFreeMs").asLong(-1) >= 0
                ? detectionMs + evacuation.path("noticeToSourceFreeMs").asDouble()
                : -1;
        return new DemoReport(
                options.memoryMib() * 1024L * 1024,
                report.has("noticeToSwitchMs")
                                || evacuation.path("noticeToSwitchMs").asLong(-1) >= 0
                        ? detectionMs + evacuation.path("noticeToSwitchMs").asDouble()
                        : -1,
                warningUsedMs,
                report.path("blackoutMs").asDouble(-1),
                report.path("bytesAfterNotice").asLong(-1),
                before.path("bytesStreamed").asLong(-1),
                before.path("epochs").asLong(-1),
                before.path("epochPauseMsP50").asDouble(-1),
                before.path("epochPauseMsP99").asDouble(-1),
                client.operations(),
                client.errors(),
                client.reconnects(),
                client.lostWrites(),
                traffic.rstPackets(),
                client.longestStallMillis(),
                hashEqual,
                targetAcquireMs,
                warningUsedMs,
                warningUsedMs < 0 ? -1 : TimeUnit.SECONDS.toMillis(options.warningSeconds()) - warningUsedMs,
                failures.isEmpty() ? "ok" : "failed");
    }

    private void check(boolean holds, String otherwise) {
        if (!holds) {
            failures.add(otherwise);
        }
    }

    private static void require(long limitNs, String otherwise) throws DemoFailure {
        if (System.nanoTime() - limitNs > 0) {
            throw new DemoFailure(otherwise);
        }
    }

    private static String describe(LoadReport load) {
        return String.format(
                Locale.ROOT,
                "client: %d operations, %d errors, longest stall %d ms%s",
                load.operations(),
                load.errors(),
                load.longestStallMillis(),
                load.currentStallMillis() > 500 ? ", waiting for " + load.currentStallMillis() + " ms" : "");
    }

    private static String describeBlackout(JsonNode report) {
        return String.format(
                Locale.ROOT,
                "blackout %.0f ms: pause %.0f, state %.0f, last pages %.0f, apply %.0f, build %.0f, claim %.0f, resume %.0f",
                report.path("blackoutMs").asDouble(-1),
                report.path("pauseMs").asDouble(-1),
                report.path("stateMs").asDouble(-1),
                report.path("lastPagesMs").asDouble(-1),
                report.path("applyMs").asDouble(-1),
                report.path("buildMs").asDouble(-1),
                report.path("claimMs").asDouble(-1),
                report.path("resumeMs").asDouble(-1));
    }

    private static String mib(long bytes) {
        return String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }
}
