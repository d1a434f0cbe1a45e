// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import dev.lifeboat.cloudfakes.metadata.CloudMetadata;
import dev.lifeboat.control.agent.FakeVmm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;

/**
 * From the moment a cloud's metadata changes to the first byte of the evacuation at the target: the source's agent hears it,
 * has the target prepare (a process starts there) and tells the VM's process, which connects. Agents are processes of their
 * own; what a VM does between the order and its first byte is not in it, because its process only answers. "Cold" is the first
 * notice in the life of both agents, a minute old at most; "warm" are the ones after it. Arguments: cold runs (3), warm
 * notices in each (5) and seed (1).
 */
public final class NoticeToFirstByte {
    private static final String SOURCE = "host-a";
    private static final String TARGET = "host-b";
    private static final int WARNING_SECONDS = 100;
    private static final int INTERVAL_MS = 1_000;
    /** For what starts with the agent to end. */
    private static final long SETTLE_MS = 5_000;

    private NoticeToFirstByte() {}

    public static void main(String[] arguments) throws Exception {
        int cold = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 3;
        int warm = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 5;
        Random random = new Random(arguments.length > 2 ? Long.parseLong(arguments[2]) : 1);
        for (String cloud : new String[] {"aws", "azure", "gcp"}) {
            double[] coldMs = new double[cold];
            double[] warmMs = new double[cold * warm];
            for (int i = 0; i < cold; i++) {
                try (CloudMetadata metadata = CloudMetadata.start(cloud, InstantSource.system());
                        BenchmarkFleet fleet = new BenchmarkFleet(SOURCE, TARGET)) {
                    fleet.start(TARGET, Optional.empty(), Optional.empty());
                    fleet.start(SOURCE, Optional.of(cloud), Optional.of("http://127.0.0.1:" + metadata.port()));
                    Thread.sleep(SETTLE_MS);
                    coldMs[i] = once(fleet, metadata, "cold", random);
                    for (int k = 0; k < warm; k++) {
                        warmMs[i * warm + k] = once(fleet, metadata, "warm-" + k, random);
                    }
                }
            }
            Arrays.sort(coldMs);
            Arrays.sort(warmMs);
            System.out.printf(
                    "%-6s cold: median %6.0f ms, worst %6.0f ms; warm: median %6.0f ms, worst %6.0f ms; cold/warm %.2f%n",
                    cloud,
                    coldMs[cold / 2],
                    coldMs[cold - 1],
                    warmMs[warmMs.length / 2],
                    warmMs[warmMs.length - 1],
                    coldMs[cold / 2] / warmMs[warmMs.length / 2]);
        }
    }

    private static double once(BenchmarkFleet fleet, CloudMetadata metadata, String vmId, Random random)
            throws IOException, InterruptedException {
        fleet.run(SOURCE, vmId);
        Thread.sleep(random.nextInt(INTERVAL_MS));
        long changedNs = System.nanoTime();
        metadata.announce(Instant.now().plusSeconds(WARNING_SECONDS));
        fleet.awaitState(SOURCE, "/v1/vms/" + vmId + "/evacuation", "DONE");
        Path console = fleet.runDirectory(TARGET).resolve("vms").resolve(vmId).resolve("console.log");
        String said = Files.readString(console);
        long firstNs = Long.parseLong(said.substring(said.indexOf(FakeVmm.FIRST_BYTE) + FakeVmm.FIRST_BYTE.length())
                .strip());
        metadata.withdraw();
        BenchmarkFleet.await(
                "the end of the notice", () -> !fleet.get(SOURCE, "/v1/health").has("notice"));
        fleet.remove(SOURCE, vmId);
        fleet.remove(TARGET, vmId);
        return (firstNs - changedNs) / 1e6;
    }
}
