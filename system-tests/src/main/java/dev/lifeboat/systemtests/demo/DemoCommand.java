// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.cli.LifeboatCommand;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.FabricOptions;
import dev.lifeboat.systemtests.fabric.Images;
import dev.lifeboat.systemtests.fabric.StoreKind;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat demo}. Exit code 0 only when every check held. */
@Command(
        name = "demo",
        mixinStandardHelpOptions = true,
        description =
                "Shows it all on this machine: a Redis guest under load moves off a spot host that is taken away.")
public final class DemoCommand implements LifeboatCommand, Callable<Integer> {

    @Option(
            names = "--store",
            defaultValue = "s3",
            description = "s3 (a server on the gateway) or dir (a directory all hosts mount); default: s3")
    private String store;

    @Option(names = "--json", paramLabel = "FILE", description = "write the figures as JSON to FILE")
    private Path json;

    @Option(names = "--memory-mib", defaultValue = "512", description = "memory of the guest; default: 512")
    private int memoryMib;

    @Option(names = "--load-seconds", defaultValue = "10", description = "load before the notice; default: 10")
    private int loadSeconds;

    @Option(
            names = "--cloud",
            paramLabel = "CLOUD",
            description =
                    "aws, azure or gcp: with that cloud's notice and timing, and host B is bought from its control"
                            + " plane (a fake one) when it is needed")
    private String cloud;

    @Option(
            names = "--warning-seconds",
            description =
                    "from the notice to the end of host A; default: 75, or what EC2 gives (120) on a machine where hosts"
                            + " start slowly; with --cloud what that cloud gives")
    private Integer warningSeconds;

    @Option(names = "--keep-logs", description = "keep logs and recordings after a good run, too")
    private boolean keepLogs;

    private static final int DEFAULT_WARNING_SECONDS = 75;
    /** On a machine whose first host takes longer to answer than this, the default is too short for a move. */
    private static final double SLOW_START_SECONDS = 25;

    private static final int SLOW_WARNING_SECONDS = 120;

    /** Beside the guest's memory: the image in memory, two JVMs, page cache. */
    private static final int HOST_OVERHEAD_MIB = 1400;

    /** Boots and waits that {@link DemoRun} allows, one after the other. */
    private static final int SLOWEST_SECONDS = 1200;

    @Override
    public Integer call() throws IOException, InterruptedException {
        PrintStream out = System.out;
        StoreKind kind;
        try {
            kind = StoreKind.valueOf(store.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            System.err.println("lifeboat: --store is s3 or dir, not " + store);
            return 2;
        }
        Optional<DemoCloudKind> cloudKind = Optional.empty();
        if (cloud != null) {
            cloudKind = Stream.of(DemoCloudKind.values())
                    .filter(one -> one.word().equals(cloud.toLowerCase(Locale.ROOT)))
                    .findFirst();
            if (cloudKind.isEmpty()) {
                System.err.println("lifeboat: --cloud is aws, azure or gcp, not " + cloud);
                return 2;
            }
        }
        int usualSeconds = cloudKind.map(DemoCloudKind::warningSeconds).orElse(DEFAULT_WARNING_SECONDS);
        int warning = warningSeconds == null ? usualSeconds : warningSeconds;
        if (memoryMib < 128 || loadSeconds < 1 || warning < 10) {
            System.err.println("lifeboat: the demo needs --memory-mib of 128 or more (Debian and Redis), --load-seconds"
                    + " of 1 or more and --warning-seconds of 10 or more (a JVM starts on the target)");
            return 2;
        }
        Timeline timeline = new Timeline(out);
        Images images = Images.find();
        Path logs = Files.createTempDirectory("lifeboat-demo-");
        images.prepare(logs.resolve("images.log"), what -> timeline.progress("preparing: " + what));
        Optional<DemoCloud> demoCloud =
                cloudKind.isPresent() ? Optional.of(new DemoCloud(cloudKind.get())) : Optional.empty();
        FabricOptions fabricOptions = new FabricOptions(
                List.of("host-a", "host-b"),
                memoryMib + HOST_OVERHEAD_MIB,
                kind,
                List.of("redis-guest"),
                Duration.ofSeconds(SLOWEST_SECONDS + loadSeconds + warning),
                logs,
                demoCloud.map(DemoCloud::fleet));
        boolean good = false;
        try (EmulatedFabric fabric = EmulatedFabric.startFirst(fabricOptions, images)) {
            timeline.event("host-a and the gateway start: "
                    + (fabric.acceleration().kvm()
                            ? fabric.acceleration().reason()
                            : "QEMU's software processor, because "
                                    + fabric.acceleration().reason()));
            if (cloudKind.isPresent() && warning != usualSeconds) {
                timeline.event("--warning-seconds " + warning + ": "
                        + cloudKind.get().word() + " gives " + usualSeconds + " s; this run does not keep to it");
            }
            good = demo(
                    fabric,
                    new DemoOptions(kind, memoryMib, loadSeconds, warning, logs, demoCloud, false),
                    timeline,
                    out);
            if (!good || keepLogs) {
                fabric.collect();
            }
        } finally {
            demoCloud.ifPresent(DemoCloud::close);
            if (good && !keepLogs) {
                delete(logs);
            } else {
                out.println("logs and recordings: " + logs);
            }
        }
        return good ? 0 : 1;
    }

    private boolean demo(EmulatedFabric fabric, DemoOptions options, Timeline timeline, PrintStream out)
            throws IOException, InterruptedException {
        DemoRun run = null;
        double startedAt = timeline.seconds();
        try {
            fabric.awaitFirst();
            timeline.event("host-a's agent answers, the store is "
                    + options.store().name().toLowerCase(Locale.ROOT));
            if (options.cloud().isPresent()) {
                options.cloud().get().start(fabric);
                timeline.event("the controller has the control plane of "
                        + options.cloud().get().kind().word() + ", a fake one; host-b is not there yet");
            }
            DemoOptions chosen = options;
            double startSeconds = timeline.seconds() - startedAt;
            if (startSeconds > SLOW_START_SECONDS) {
                boolean longer = warningSeconds == null && options.cloud().isEmpty();
                chosen = options.onASlowMachine(longer ? SLOW_WARNING_SECONDS : options.warningSeconds());
                timeline.event(String.format(
                        Locale.ROOT,
                        "host-a took %.0f s to answer: this machine is slow, so machines start one after the other%s",
                        startSeconds,
                        longer
                                ? ", and the cloud will give " + SLOW_WARNING_SECONDS + " s instead of "
                                        + DEFAULT_WARNING_SECONDS
                                : ""));
            }
            run = new DemoRun(fabric, chosen, timeline);
            DemoReport report = run.run();
            print(report, timeline, out);
            if (json != null) {
                Files.writeString(
                        json,
                        new ObjectMapper()
                                        .enable(SerializationFeature.INDENT_OUTPUT)
                                        .writeValueAsString(report)
                                + "\n");
            }
            for (String failure : run.failures()) {
                out.println("FAILED: " + failure);
            }
            out.println("result: " + report.result());
            return report.result().equals("ok");
        } catch (DemoFailure | ApiError | ControlException e) {
            fabric.collect();
            if (options.cloud().isPresent()) {
                Files.writeString(
                        options.logs().resolve("controller.events.jsonl"),
                        options.cloud().get().events());
            }
            timeline.event("FAILED: " + e.getMessage());
            out.println("result: failed");
            return false;
        } catch (IOException e) {
            fabric.collect();
            throw e;
        }
    }

    private static void print(DemoReport report, Timeline timeline, PrintStream out) {
        out.println();
        row(out, "guest memory", report.guestMemoryBytes() / 1048576 + " MiB");
        row(out, "notice to switch", ms(report.noticeToSwitchMs()));
        row(out, "notice to source free", ms(report.noticeToSourceFreeMs()));
        row(out, "blackout", ms(report.blackoutMs()));
        row(out, "bytes sent after the notice", mib(report.bytesAfterNotice()));
        row(out, "bytes streamed before", mib(report.bytesStreamedBefore()) + " in " + report.epochs() + " epochs");
        row(out, "epoch pause, median / p99", ms(report.epochPauseMsP50()) + " / " + ms(report.epochPauseMsP99()));
        row(out, "client operations", String.valueOf(report.clientOperations()));
        row(out, "client errors / reconnects", report.clientErrors() + " / " + report.clientReconnects());
        row(out, "acknowledged writes lost", String.valueOf(report.lostWrites()));
        row(out, "TCP resets at the client", String.valueOf(report.rstPackets()));
        row(out, "longest client stall", report.longestClientStallMs() + " ms");
        row(out, "memory equal at pause and resume", String.valueOf(report.memoryHashEqual()));
        if (report.targetAcquireMs() >= 0) {
            row(out, "target acquired in", ms(report.targetAcquireMs()));
        }
        row(out, "warning used / left", ms(report.warningUsedMs()) + " / " + ms(report.deadlineMarginMs()));
        row(out, "whole demo", String.format(Locale.ROOT, "%.0f s", timeline.seconds()));
        out.println();
    }

    private static void row(PrintStream out, String name, String value) {
        out.printf("  %-34s %s%n", name, value);
    }

    private static String ms(double millis) {
        return millis < 0 ? "not reached" : String.format(Locale.ROOT, "%.1f ms", millis);
    }

    private static String mib(long bytes) {
        return bytes < 0 ? "not reached" : String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> walk = Files.walk(directory)) {
            walk.sorted(Comparator.reverseOrder()).forEach(path -> {
                try {
                    Files.delete(path);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }
}
