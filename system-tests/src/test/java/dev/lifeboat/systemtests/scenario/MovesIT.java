// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.HostAgent;
import dev.lifeboat.systemtests.load.LoadReport;
import dev.lifeboat.systemtests.net.LinkConditions;
import dev.lifeboat.systemtests.net.PcapStats;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A VM that moves more than once, and one whose target dies while it moves: same connection, same memory. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class MovesIT {

    private static final int REDIS_MIB = 512;
    private static final int COUNTER_BUFFER_MIB = 8;
    /** Once through the buffer in five seconds: every epoch and every move finds dirty pages, the processor lives. */
    private static final int COUNTER_PAGES_PER_SECOND = 400;

    private static final int OPERATIONS_PER_SECOND = 60;
    private static final int KEYS = 300;
    private static final Duration ROUND_LIMIT = Duration.ofSeconds(300);
    private static final Duration FAILURE_LIMIT = Duration.ofSeconds(240);
    /** A move's blackout, and other work of the one processor of a host; far below what TCP bears. */
    private static final long STALL_LIMIT_MS = 20_000;
    /** Slow enough that the first round of pages takes seconds, fast enough for handshakes. */
    private static final long SLOW_BYTES_PER_SECOND = 100_000;

    private ScenarioVms vms;

    @AfterEach
    void freeTheHosts() throws IOException {
        if (vms != null) {
            vms.close();
        }
    }

    /** A, B, A, C with one client on one connection, and in the same guest a program that checks page after page. */
    @Test
    void aConnectionAndEveryPageSurviveMoveAfterMove() throws Exception {
        vms = new ScenarioVms(SharedFabric.get());
        String redis = "moves-redis";
        vms.start(
                "host-a",
                ScenarioVms.redisWithCounter(redis, 31, REDIS_MIB, COUNTER_BUFFER_MIB, COUNTER_PAGES_PER_SECOND));
        vms.awaitConsole("host-a", redis, "lifeboat-redis: ready");
        vms.startLoad(31, OPERATIONS_PER_SECOND, KEYS);
        PageCounts counts = awaitEveryPageChecked("host-a", redis);
        String from = "host-a";
        long term = 1;
        for (String to : List.of("host-b", "host-a", "host-c")) {
            vms.awaitEpochs(from, redis, 1);
            JsonNode report = vms.move(redis, from, to);
            assertThat(report.path("newTerm").asLong()).isEqualTo(++term);
            counts = awaitMoreRounds(counts, to, redis);
            from = to;
        }
        System.out.println("page counter after three moves: " + counts);
        assertClientNoticedNothing(31);
        vms.remove(from, redis);
    }

    @Test
    void aTargetThatDiesDuringPreCopyLeavesTheVmWhereItIsAndTheNextMoveWorks() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        vms = new ScenarioVms(fabric);
        String redis = "moves-failing";
        HostAgent source = fabric.agent("host-a");
        vms.start("host-a", ScenarioVms.redis(redis, 33, REDIS_MIB));
        vms.awaitConsole("host-a", redis, "lifeboat-redis: ready");
        vms.startLoad(33, OPERATIONS_PER_SECOND, KEYS);
        vms.awaitEpochs("host-a", redis, 2);

        fabric.underlay()
                .setConditions(
                        fabric.port("host-a"),
                        fabric.port("host-b"),
                        LinkConditions.CLEAR.withBandwidth(SLOW_BYTES_PER_SECOND));
        source.evacuate(redis, "host-b", System.currentTimeMillis() + ScenarioVms.MOVE_LIMIT.toMillis());
        awaitPreCopy(fabric, redis);
        fabric.powerOff("host-b");
        long operationsAtTheDeath = fabric.load().report().operations();
        ScenarioVms.await("the end of the attempt", FAILURE_LIMIT, () -> {
            String state = source.evacuation(redis).path("state").asText();
            assertThat(state).isNotEqualTo("DONE");
            return state.equals("FAILED");
        });
        assertThat(source.evacuation(redis).path("message").asText())
                .contains("host-b")
                .contains("the VM keeps running here");
        JsonNode status = source.status(redis);
        assertThat(status.path("state").asText()).isEqualTo("RUNNING");
        assertThat(status.path("term").asLong()).isEqualTo(1);
        // It is protected again, and the client goes on.
        vms.awaitEpochs("host-a", redis, 1);
        vms.awaitOperations(operationsAtTheDeath + KEYS);
        long stallMs = fabric.load().report().longestStallMillis();
        System.out.println("target dead in pre-copy: longest stall of the client " + stallMs + " ms");
        assertThat(stallMs).isLessThan(STALL_LIMIT_MS);

        JsonNode report = vms.move(redis, "host-a", "host-c");
        assertThat(report.path("newTerm").asLong()).isEqualTo(2);
        vms.awaitEpochs("host-c", redis, 1);
        assertClientNoticedNothing(33);
        vms.remove("host-c", redis);
    }

    /** Both sides say so: the target has taken the VM's greeting and fills, the source sends rounds. */
    private static void awaitPreCopy(EmulatedFabric fabric, String vm) throws Exception {
        ScenarioVms.await("pre-copy", ScenarioVms.MOVE_LIMIT, () -> {
            JsonNode move = fabric.agent("host-a").evacuation(vm);
            assertThat(move.path("state").asText())
                    .as(move.path("message").asText())
                    .isIn("WAITING", "PREPARING", "MOVING");
            if (!move.path("state").asText().equals("MOVING")) {
                return false;
            }
            String target =
                    fabric.agent("host-b").status(vm).path("targetState").asText();
            return target.equals("HYDRATING") || target.equals("RECEIVING");
        });
        assertThat(fabric.agent("host-a").status(vm).path("evacuationState").asText())
                .isEqualTo("EVACUATING");
    }

    private void assertClientNoticedNothing(int number) throws Exception {
        vms.awaitOperations(2 * KEYS);
        LoadReport client = vms.finishLoad();
        PcapStats traffic = SharedFabric.get().clientTraffic(EmulatedFabric.guestAddress(number));
        System.out.println("the client: " + client + "; " + traffic);
        assertThat(client.errors()).as(client.firstError()).isZero();
        assertThat(client.reconnects()).isZero();
        assertThat(client.lostWrites()).isZero();
        assertThat(client.acknowledgedKeys()).isEqualTo(KEYS);
        assertThat(client.longestStallMillis()).isLessThan(STALL_LIMIT_MS);
        assertThat(traffic.truncated()).isFalse();
        assertThat(traffic.tcpSegments()).isPositive();
        assertThat(traffic.rstPackets()).isZero();
        assertThat(traffic.icmpUnreachable()).isZero();
    }

    /** Waits until the counter has checked each page on this host at least once. */
    private PageCounts awaitEveryPageChecked(String host, String vm) throws Exception {
        HostAgent agent = SharedFabric.get().agent(host);
        ScenarioVms.await(
                "the page counter on " + host,
                ROUND_LIMIT,
                () -> PageCounts.newest(agent.console(vm)).isPresent());
        PageCounts start = PageCounts.newest(agent.console(vm)).orElseThrow();
        ScenarioVms.await(
                "a round of the page counter on " + host,
                ROUND_LIMIT,
                () -> PageCounts.newest(agent.console(vm)).orElseThrow().steps() > start.steps() + start.pages());
        String console = agent.console(vm);
        assertThat(console).doesNotContain("wrong page=").doesNotContain("lifeboat-test: failed");
        PageCounts now = PageCounts.newest(console).orElseThrow();
        assertThat(now.wrong()).isZero();
        return now;
    }

    private PageCounts awaitMoreRounds(PageCounts before, String host, String vm) throws Exception {
        PageCounts now = awaitEveryPageChecked(host, vm);
        assertThat(now.rounds()).isGreaterThan(before.rounds());
        assertThat(now.steps()).isGreaterThan(before.steps());
        return now;
    }
}
