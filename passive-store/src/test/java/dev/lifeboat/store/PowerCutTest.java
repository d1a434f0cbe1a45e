// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills a writer of a directory store at random instants, 200 times. The rule: the newest whole epoch then is the last
 * one whose commit returned, or the one whose commit had begun and did not return. Each killed writer is followed by
 * one that goes on from there in the same store. {@code -Dlifeboat.kills=N} kills another number of times.
 */
class PowerCutTest {
    private static final int KILLS = Integer.getInteger("lifeboat.kills", 200);
    private static final int LANES = 2;
    private static final long SEED = 51;
    /** More than a writer gets to before it is killed. */
    private static final int EPOCHS = 1_000;

    private static final Pattern NOT_NEEDED = Pattern.compile("logback|jnr|asm|junit|assertj|byte-buddy|surefire");

    @TempDir
    Path directory;

    private String classPath;
    private Path archive;

    private final AtomicInteger acknowledged = new AtomicInteger();
    private final AtomicInteger inCommit = new AtomicInteger();
    private final AtomicInteger unacknowledgedWhole = new AtomicInteger();

    @Test
    void aWriterThatIsKilledLeavesItsLastAcknowledgedEpochOrTheOneItWasCommitting() throws Exception {
        ExecutorService lanes = Executors.newFixedThreadPool(LANES);
        try {
            List<Future<?>> runs = new ArrayList<>();
            for (int lane = 0; lane < LANES; lane++) {
                Path store = directory.resolve("store-" + lane);
                Random random = new Random(SEED + lane);
                runs.add(lanes.submit(() -> {
                    killOften(store, random);
                    return null;
                }));
            }
            for (Future<?> run : runs) {
                run.get();
            }
        } finally {
            lanes.shutdownNow();
        }
        System.out.printf(
                "%d kills: %d epochs acknowledged, %d kills in a commit, of which %d had taken effect%n",
                KILLS, acknowledged.get(), inCommit.get(), unacknowledgedWhole.get());
        assertThat(acknowledged.get()).isGreaterThan(KILLS / 2);
        assertThat(inCommit.get()).isGreaterThan(KILLS / 10);
    }

    private void killOften(Path directoryOfStore, Random random) throws Exception {
        int expected = PowerCutWriter.checksum(new byte[PowerCutWriter.PAGES * ModelVm.PAGE]);
        boolean any = false;
        for (int kill = 1; kill <= KILLS / LANES; kill++) {
            Process process =
                    start(directoryOfStore, kill, random.nextLong(), EPOCHS, "-XX:SharedArchiveFile=" + archive);
            List<String> said = runAndKill(process, random);
            int begun = expected;
            for (String line : said) {
                String[] words = line.split(" ");
                if (words[0].equals("begins")) {
                    begun = Integer.parseInt(words[1]);
                } else {
                    expected = Integer.parseInt(words[1]);
                    any = true;
                    acknowledged.incrementAndGet();
                }
            }
            assertThat(said).as(errors()).isNotEmpty();
            boolean committing = said.get(said.size() - 1).startsWith("begins");
            inCommit.addAndGet(committing ? 1 : 0);
            Optional<Integer> found = restore(directoryOfStore);
            if (committing && found.isPresent() && found.get() == begun) {
                unacknowledgedWhole.incrementAndGet();
                expected = begun;
                any = true;
            }
            assertThat(found)
                    .as("kill %d (seed %d)", kill, SEED)
                    .isEqualTo(any ? Optional.of(expected) : Optional.empty());
        }
    }

    /** Kills some time after it has said a few lines; what it said. */
    private static List<String> runAndKill(Process process, Random random) throws Exception {
        List<String> said = new ArrayList<>();
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII))) {
            for (int lines = 1 + random.nextInt(6); lines > 0; lines--) {
                String line = out.readLine();
                if (line != null) {
                    said.add(line);
                }
            }
            LockSupport.parkNanos(random.nextInt(20_000_000));
            // By its handle, which leaves the pipe open: the last lines are still in it.
            assertThat(process.toHandle().destroyForcibly()).isTrue();
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                said.add(line);
            }
        } finally {
            process.destroyForcibly();
        }
        return said;
    }

    private static Optional<Integer> restore(Path directoryOfStore) {
        try (ObjectStore objects = ObjectStores.open("dir:" + directoryOfStore, Optional.empty(), Optional.empty())) {
            DefaultVmStore store = new DefaultVmStore(objects, PowerCutWriter.VM, PowerCutWriter.SETTINGS);
            return store.newestWhole().map(newest -> PowerCutWriter.checksum(PowerCutWriter.contents(store, newest)));
        }
    }

    private Process start(Path store, int term, long seed, int epochs, String archiveOption) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xmx48m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", archiveOption));
        // What the JVM itself has to say, such as that it cannot use the archive, is not the writer's.
        command.addAll(List.of("-Xlog:disable", "-Xlog:all=error:stderr"));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> argument.startsWith("--add-"))
                .toList());
        command.addAll(List.of("-cp", classPath, PowerCutWriter.class.getName()));
        command.addAll(List.of("dir:" + store, "" + term, "" + seed, "" + epochs));
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.appendTo(
                        directory.resolve("errors").toFile()))
                .start();
    }

    /**
     * A writer takes a quarter of the time to start from an archive of its classes; one can be made of jars only. What a
     * writer does not need (logging, bindings that have a fallback, test libraries) takes longer to start than a writer to
     * write.
     */
    @BeforeEach
    void makeArchive() throws Exception {
        List<String> jars = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path path = Path.of(entry);
            if (Files.isDirectory(path)) {
                Path jar = directory.resolve("classes-" + jars.size() + ".jar");
                int result = ToolProvider.findFirst("jar")
                        .orElseThrow()
                        .run(System.out, System.err, "cf", jar.toString(), "-C", entry, ".");
                assertThat(result).isZero();
                jars.add(jar.toString());
            } else if (!NOT_NEEDED.matcher(path.getFileName().toString()).lookingAt()) {
                jars.add(entry);
            }
        }
        classPath = String.join(File.pathSeparator, jars);
        archive = directory.resolve("classes.jsa");
        Process trial = start(directory.resolve("trial"), 1, SEED, 20, "-XX:ArchiveClassesAtExit=" + archive);
        try {
            trial.getInputStream().transferTo(OutputStream.nullOutputStream());
            assertThat(trial.waitFor(60, TimeUnit.SECONDS)).as(errors()).isTrue();
            assertThat(trial.exitValue()).as(errors()).isZero();
        } finally {
            trial.destroyForcibly();
        }
    }

    private String errors() throws IOException {
        return Files.readString(directory.resolve("errors"));
    }
}
