// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.FabricOptions;
import dev.lifeboat.systemtests.fabric.Images;
import dev.lifeboat.systemtests.fabric.StoreKind;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeTestExecutionCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.TestAbortedException;

/**
 * One booted fabric with three hosts for all scenarios of a run, because a boot costs a minute on two cores. Before each
 * test every host is up and the network whole; a test that fails leaves what the machines know in a folder of its own.
 */
final class SharedFabric implements BeforeTestExecutionCallback, AfterTestExecutionCallback {

    /**
     * The scenario with 5 GiB of guest memory; the memory of an emulated machine that is not touched costs nothing.
     */
    private static final int HOST_MEMORY_MIB = 7168;

    /** Ends machines that a killed build left behind. */
    private static final Duration MAX_LIFE = Duration.ofMinutes(50);

    /**
     * Below what was seen on a machine on which moves do not end in time: 25 to 45 s for the first host, 130 s for all. The
     * property {@link #ANYWAY} runs the tests whatever the machine.
     */
    private static final int SLOWEST_FIRST_SECONDS = 20;

    private static final int SLOWEST_ALL_SECONDS = 70;

    private static final String ANYWAY = "lifeboat.slow";
    private static final String KEY = "fabric";

    /** Lives in JUnit's root store, which closes it after the last test. */
    private static final class Running implements AutoCloseable {
        private final EmulatedFabric fabric;
        private final Path logs;
        private int testsOnKvm;

        Running() throws Exception {
            logs = Files.createDirectories(Path.of("target", "system-test-logs").toAbsolutePath());
            FabricOptions options = new FabricOptions(
                    List.of("host-a", "host-b", "host-c"),
                    HOST_MEMORY_MIB,
                    StoreKind.S3,
                    List.of("redis-guest", "test-guest", "postgres-guest"),
                    MAX_LIFE,
                    logs);
            Images images = Images.find();
            images.prepare(logs.resolve("images.log"), what -> System.out.println("preparing: " + what));
            images.prepareGuest(logs.resolve("images.log"), "postgres-guest");
            fabric = EmulatedFabric.startFirst(options, images);
            try {
                // Not all at once: with five machines on two processors, none would be ready within minutes.
                long startedNs = System.nanoTime();
                fabric.awaitFirst();
                requireSpeed("gateway and first host", startedNs, SLOWEST_FIRST_SECONDS);
                fabric.startOthers();
                fabric.awaitReady();
                requireSpeed("all machines", startedNs, SLOWEST_ALL_SECONDS);
            } catch (Exception e) {
                if (!(e instanceof TestAbortedException)) {
                    fabric.collect();
                }
                fabric.close();
                throw e;
            }
        }

        /**
         * On a software processor too slow, machines spend their time on each other's time limits, and what fails says
         * nothing about Lifeboat. The reason stands in the report of every test that did not run, and at the end.
         */
        private static void requireSpeed(String who, long startedNs, int limitSeconds) {
            long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - startedNs);
            if (seconds > limitSeconds && !Boolean.getBoolean(ANYWAY)) {
                String why = "SYSTEM TESTS DID NOT RUN: " + who + " took " + seconds
                        + " s to answer on this machine's processor, more than " + limitSeconds
                        + " s; run them all the same with -D" + ANYWAY + "=true";
                System.out.println(why);
                throw new TestAbortedException(why);
            }
        }

        @Override
        public void close() throws Exception {
            fabric.close();
            System.out.println("system tests on real KVM (emulated hosts, "
                    + (fabric.acceleration().kvm() ? "nested KVM" : "QEMU's software processor") + "): " + testsOnKvm);
        }
    }

    private static Running running;

    /** The fabric, once a test runs. */
    static EmulatedFabric get() {
        return running.fabric;
    }

    /** A test that ran several others inside a host says so; they count like tests of their own. */
    static void alsoRanOnKvm(int tests) {
        running.testsOnKvm += tests;
    }

    @Override
    public void beforeTestExecution(ExtensionContext context) throws Exception {
        running = context.getRoot()
                .getStore(ExtensionContext.Namespace.GLOBAL)
                .getOrComputeIfAbsent(KEY, key -> start(), Running.class);
        EmulatedFabric fabric = running.fabric;
        fabric.underlay().heal();
        fabric.clientSide().heal();
        for (String host : List.of("host-a", "host-b", "host-c")) {
            if (!fabric.machine(host).isAlive()) {
                fabric.startAgain(host);
            }
        }
        for (String host : List.of("host-a", "host-b", "host-c")) {
            fabric.awaitHealth(host);
        }
    }

    private static Running start() {
        try {
            return new Running();
        } catch (TestAbortedException tooSlow) {
            throw tooSlow;
        } catch (Exception e) {
            throw new IllegalStateException("the emulated fabric did not start: " + e.getMessage(), e);
        }
    }

    @Override
    public void afterTestExecution(ExtensionContext context) throws Exception {
        if (running == null) {
            // The fabric did not start: the test has failed with the reason, and there are no machines to ask.
            return;
        }
        if (context.getRequiredTestClass().isAnnotationPresent(OnRealKvm.class)) {
            running.testsOnKvm++;
        }
        if (context.getExecutionException().isPresent()) {
            Path kept = running.logs.resolve(context.getRequiredTestMethod().getName());
            Files.createDirectories(kept);
            Path collected = running.fabric.collect();
            try (var files = Files.list(collected)) {
                for (Path file : files.filter(Files::isRegularFile)
                        .filter(f -> f.toString().matches(".*\\.(txt|jsonl|log)"))
                        .toList()) {
                    Files.copy(
                            file, kept.resolve(file.getFileName()), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                }
            }
            System.out.println("what the machines knew when the test failed: " + kept);
        }
    }
}
