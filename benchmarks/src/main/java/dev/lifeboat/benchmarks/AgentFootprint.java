// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import dev.lifeboat.cloudfakes.metadata.CloudMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Optional;

/**
 * What an agent costs that only watches: resident memory, threads and processor time, without a VM and with many, in one run.
 * It looks at EC2's metadata once a second, as on a spot host; nobody asks it anything while it is measured. VMs are processes
 * of their own, and not counted. Arguments: VMs (50) and seconds of each measurement (60).
 */
public final class AgentFootprint {
    private static final String HOST = "host-a";
    /** For the compiler and the last answers to end. */
    private static final long SETTLE_MS = 15_000;

    private static final double TICKS_PER_SECOND = 100;
    private static final int UTIME_AFTER_NAME = 11;

    private AgentFootprint() {}

    private record Cost(double residentMiB, double anonymousMiB, int threads, double cpuMsPerSecond) {
        void print(String what) {
            System.out.printf(
                    "%-12s %7.1f MiB resident (%.1f MiB of it its own), %3d threads, %6.2f ms of processor time a second%n",
                    what, residentMiB, anonymousMiB, threads, cpuMsPerSecond);
        }
    }

    public static void main(String[] arguments) throws Exception {
        int vms = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 50;
        int seconds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 60;
        try (CloudMetadata aws = CloudMetadata.start("aws", InstantSource.system());
                BenchmarkFleet fleet = new BenchmarkFleet(HOST)) {
            fleet.start(HOST, Optional.of("aws"), Optional.of("http://127.0.0.1:" + aws.port()));
            Cost idle = measure(fleet.pid(HOST), seconds);
            idle.print("no VM");
            for (int i = 0; i < vms; i++) {
                fleet.run(HOST, "vm-" + i);
            }
            Cost watching = measure(fleet.pid(HOST), seconds);
            watching.print(vms + " VMs");
            System.out.printf(
                    "ratio %.2f of the memory, %.2f of the processor time; each VM adds %.2f MiB and %.3f ms a second%n",
                    watching.residentMiB() / idle.residentMiB(),
                    watching.cpuMsPerSecond() / idle.cpuMsPerSecond(),
                    (watching.residentMiB() - idle.residentMiB()) / vms,
                    (watching.cpuMsPerSecond() - idle.cpuMsPerSecond()) / vms);
        }
    }

    private static Cost measure(long pid, int seconds) throws IOException, InterruptedException {
        Thread.sleep(SETTLE_MS);
        long startNs = System.nanoTime();
        long startTicks = ticks(pid);
        Thread.sleep(seconds * 1_000L);
        double took = (System.nanoTime() - startNs) / 1e9;
        double cpuMs = (ticks(pid) - startTicks) * 1_000 / TICKS_PER_SECOND;
        return new Cost(
                status(pid, "VmRSS") / 1024.0,
                status(pid, "RssAnon") / 1024.0,
                (int) status(pid, "Threads"),
                cpuMs / took);
    }

    /** User and system time, proc_pid_stat(5); the name before them may hold spaces. */
    private static long ticks(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(fields[UTIME_AFTER_NAME]) + Long.parseLong(fields[UTIME_AFTER_NAME + 1]);
    }

    /** A number of proc_pid_status(5), memory in KiB. */
    private static long status(long pid, String name) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
            if (line.startsWith(name + ":")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new IOException("no " + name + " in /proc/" + pid + "/status");
    }
}
