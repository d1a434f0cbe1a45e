// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.HostAgent;
import dev.lifeboat.systemtests.load.LoadReport;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * The microVMs of one scenario on the shared fabric: boots and moves them, and waits with limits that a slow machine
 * keeps. Closing it ends the load and removes every VM from every host, however the scenario ended.
 */
final class ScenarioVms implements AutoCloseable {

    private static final List<String> HOSTS = List.of("host-a", "host-b", "host-c");
    private static final Duration BOOT_LIMIT = Duration.ofSeconds(400);
    private static final Duration LOAD_LIMIT = Duration.ofSeconds(150);
    private static final Duration EPOCH_LIMIT = Duration.ofSeconds(300);
    static final Duration MOVE_LIMIT = Duration.ofSeconds(400);
    /** An answer costs a host on a software processor tens of milliseconds. */
    private static final long POLL_MS = 500;

    private static final int POSTGRES_MIB = 256;
    /** The image is a little smaller: the rest of the disk is not the image's. */
    private static final long POSTGRES_DISK_BYTES = 192L << 20;

    private static final int NOT_FOUND = 404;
    private static final String REDIS_ARGUMENTS = "lifeboat.maxmemory=200mb";
    private static final String COMMAND_LINE = "console=ttyS0 quiet loglevel=3 panic=1 reboot=k ";

    private final EmulatedFabric fabric;
    private final Set<String> booted = new LinkedHashSet<>();
    private boolean loadRuns;

    ScenarioVms(EmulatedFabric fabric) {
        this.fabric = fabric;
    }

    /** @param number of its address among the guests; not used by two VMs of a run at a time */
    static VmSpec redis(String vm, int number, int memoryMib) {
        return spec(vm, number, memoryMib, "redis-guest", REDIS_ARGUMENTS);
    }

    /** With a program beside Redis that counts every page of a buffer up in turn and checks it each time. */
    static VmSpec redisWithCounter(String vm, int number, int memoryMib, int bufferMib, int pagesPerSecond) {
        return spec(
                vm,
                number,
                memoryMib,
                "redis-guest",
                REDIS_ARGUMENTS + " lifeboat.counter=" + bufferMib + ":" + pagesPerSecond);
    }

    /** A database under the load of pgbench, on a writable disk over the image that the first host has. */
    static VmSpec postgres(String vm, int number, int transactionsPerSecond) {
        VmmConfig.Disk disk = VmmConfig.Disk.ofSize(
                POSTGRES_DISK_BYTES, Optional.of(EmulatedFabric.guestFile("postgres-guest", "disk.img")));
        return spec(
                vm, number, POSTGRES_MIB, "postgres-guest", "lifeboat.pgbench=" + transactionsPerSecond, List.of(disk));
    }

    private static VmSpec spec(String vm, int number, int memoryMib, String guest, String arguments) {
        return spec(vm, number, memoryMib, guest, arguments, List.of());
    }

    private static VmSpec spec(
            String vm, int number, int memoryMib, String guest, String arguments, List<VmmConfig.Disk> disks) {
        return new VmSpec(
                vm,
                memoryMib,
                1,
                EmulatedFabric.guestFile(guest, "vmlinuz"),
                Optional.of(EmulatedFabric.guestFile(guest, "initrd")),
                COMMAND_LINE + arguments + " " + EmulatedFabric.guestNetworkArguments(number),
                Optional.of(String.format("52:54:00:88:01:%02x", number)),
                disks,
                VmSpec.defaultEpochIntervalMs(),
                Optional.empty());
    }

    /** Starts it; {@link #awaitConsole} says when it is up. */
    void start(String host, VmSpec spec) {
        booted.add(spec.vmId());
        fabric.agent(host).run(spec);
    }

    void awaitConsole(String host, String vm, String text) throws Exception {
        HostAgent agent = fabric.agent(host);
        await("\"" + text + "\" on the console of " + vm, BOOT_LIMIT, () -> {
            requireAlive(agent.status(vm));
            return agent.console(vm).contains(text);
        });
    }

    /** Waits for {@code more} epochs that this host has not made yet. */
    void awaitEpochs(String host, String vm, int more) throws Exception {
        HostAgent agent = fabric.agent(host);
        long before = agent.status(vm).path("epochs").asLong();
        await(more + " more epochs of " + vm + " on " + host, EPOCH_LIMIT, () -> {
            JsonNode status = agent.status(vm);
            requireAlive(status);
            return status.path("epochs").asLong() >= before + more;
        });
    }

    private static void requireAlive(JsonNode status) {
        assertThat(status.path("state").asText())
                .as(status.path("message").asText())
                .isNotIn("FAILED", "EXITED");
    }

    /** Starts the one load client and waits for its first answers. */
    void startLoad(int number, int operationsPerSecond, int keys) throws Exception {
        fabric.startLoad(
                EmulatedFabric.guestAddress(number),
                "--rate",
                String.valueOf(operationsPerSecond),
                "--keys",
                String.valueOf(keys));
        loadRuns = true;
        awaitOperations(keys);
    }

    /** Waits until the client has so many answers. */
    void awaitOperations(long operations) throws Exception {
        await(operations + " answers to the client", LOAD_LIMIT, () -> {
            LoadReport report;
            try {
                report = fabric.load().report();
            } catch (IOException notYet) {
                return false;
            }
            assertThat(report.errors()).as(report.firstError()).isZero();
            return report.operations() >= operations;
        });
    }

    /** Ends the load: every acknowledged write has been read once more. */
    LoadReport finishLoad() throws IOException {
        LoadReport report = fabric.load().finish();
        loadRuns = false;
        return report;
    }

    /** Moves a VM, which must succeed and must not change its memory; answers with the source's report. */
    JsonNode move(String vm, String from, String to) throws Exception {
        HostAgent source = fabric.agent(from);
        source.evacuate(vm, to, System.currentTimeMillis() + MOVE_LIMIT.toMillis());
        await("the move of " + vm + " from " + from + " to " + to, MOVE_LIMIT, () -> {
            JsonNode move = source.evacuation(vm);
            assertThat(move.path("state").asText())
                    .as(move.path("message").asText())
                    .isNotEqualTo("FAILED");
            return move.path("state").asText().equals("DONE");
        });
        JsonNode report = source.evacuation(vm).path("report");
        assertThat(report.path("memoryHashEqual").asBoolean())
                .as("memory equal at pause and at resume: %s", report)
                .isTrue();
        await(
                vm + " runs on " + to,
                MOVE_LIMIT,
                () -> fabric.agent(to).status(vm).path("state").asText().equals("RUNNING"));
        System.out.println(String.format(
                Locale.ROOT,
                "%s, %s to %s: blackout %.0f ms, %d bytes after the notice, %d rounds",
                vm,
                from,
                to,
                report.path("blackoutMs").asDouble(-1),
                report.path("bytesAfterNotice").asLong(-1),
                report.path("rounds").asInt(-1)));
        return report;
    }

    /** A VM that is not needed any more, so that the host has its processor for the next one. */
    void remove(String host, String vm) {
        fabric.agent(host).remove(vm);
    }

    static void await(String what, Duration limit, Callable<Boolean> condition) throws Exception {
        long startNs = System.nanoTime();
        while (!condition.call()) {
            assertThat(System.nanoTime() - startNs)
                    .as("waited %d s for: %s", limit.toSeconds(), what)
                    .isLessThan(limit.toNanos());
            Thread.sleep(POLL_MS);
        }
        // Where the time of a run goes is worth knowing: these tests are most of the build.
        System.out.println(String.format(Locale.ROOT, "after %5.1f s: %s", (System.nanoTime() - startNs) / 1e9, what));
    }

    @Override
    public void close() throws IOException {
        if (loadRuns) {
            // Only after a failure: its figures do not matter any more, its port does. Nothing else there is a java.
            fabric.machine("client")
                    .exec("killall -q -9 java; sleep 1; ! pidof java", LOAD_LIMIT)
                    .orThrow("the end of the load client");
        }
        for (String host : HOSTS) {
            if (fabric.machine(host).isAlive()) {
                removeFrom(host);
            }
        }
    }

    private void removeFrom(String host) {
        for (String vm : booted) {
            try {
                fabric.agent(host).remove(vm);
            } catch (ApiError e) {
                if (e.status() != NOT_FOUND) {
                    throw e;
                }
            } catch (ControlException unreachable) {
                System.out.println(host + " keeps " + vm + ": " + unreachable.getMessage());
            }
        }
    }
}
