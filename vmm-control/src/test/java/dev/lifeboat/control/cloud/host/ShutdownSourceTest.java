// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.RecordingSink;
import dev.lifeboat.control.cloud.Signal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** With shell scripts in place of systemd's programs: what they print is what busctl(1) prints. */
@Timeout(60)
class ShutdownSourceTest {
    @TempDir
    Path directory;

    private volatile boolean empty;

    private static List<String> shell(String script) {
        return List.of("sh", "-c", script);
    }

    private String line(boolean on) {
        return "{\"type\":\"signal\",\"sender\":\":1.3\",\"path\":\"/org/freedesktop/login1\",\"interface\":"
                + "\"org.freedesktop.login1.Manager\",\"member\":\"PrepareForShutdown\",\"payload\":"
                + "{\"type\":\"b\",\"data\":[" + on + "]}}";
    }

    private ShutdownSource source(String inhibit, String monitor) {
        return new ShutdownSource(
                new ShutdownSource.Commands(shell(inhibit), shell(monitor), shell("echo t 30000000")),
                Clocks.SYSTEM,
                () -> empty);
    }

    /** Prints what the file {@code bus} gets. */
    private String bus() {
        return "exec tail -n +1 -F " + directory.resolve("bus") + " 2>/dev/null";
    }

    private String lock() {
        Path lock = directory.resolve("lock");
        return "trap 'rm " + lock + "' EXIT; trap 'exit 0' TERM; echo held > " + lock + "; while :; do sleep 0.1; done";
    }

    @Test
    void aShutdownIsASignalWithTheTimeThatTheLockGives() throws Exception {
        try (RecordingSink sink = new RecordingSink(source("cat", bus()))) {
            sink.awaitCalm();
            Files.writeString(directory.resolve("bus"), line(true) + "\n");
            Signal signal = sink.awaitSignal();
            assertThat(signal.kind()).isEqualTo(Signal.Kind.SHUTDOWN);
            assertThat(Clocks.SYSTEM.leftMillis(signal.deadlineNs().orElseThrow()))
                    .isCloseTo(30_000L, within(3_000L));
            assertThat(sink.failures).isEmpty();
        }
    }

    @Test
    void theLockIsHeldUntilTheHostIsEmptyAndThenLetGo() throws Exception {
        Files.writeString(directory.resolve("bus"), line(true) + "\n");
        try (RecordingSink sink = new RecordingSink(source(lock(), bus()))) {
            sink.awaitSignal();
            int seen = sink.reports.size();
            sink.await(() -> sink.reports.size() > seen + 3, "more looks");
            assertThat(directory.resolve("lock")).exists();
            empty = true;
            sink.await(() -> !Files.exists(directory.resolve("lock")), "the lock to go");
            assertThat(sink.awaitSignal().action()).isEqualTo("shutdown");
        }
    }

    @Test
    void theChildrenEndWithTheSource() throws Exception {
        RecordingSink sink = new RecordingSink(source(lock(), bus()));
        sink.await(() -> Files.exists(directory.resolve("lock")), "the lock");
        sink.awaitCalm();
        sink.close();
        long limitNs = System.nanoTime() + 10_000_000_000L;
        while (Files.exists(directory.resolve("lock"))) {
            assertThat(System.nanoTime()).isLessThan(limitNs);
            Thread.sleep(10);
        }
    }

    @Test
    void aLockThatIsRefusedOrAProgramThatIsMissingIsToldAndTriedAgain() throws Exception {
        try (RecordingSink sink = new RecordingSink(source("exit 1", bus()))) {
            sink.await(() -> sink.failures.size() >= 2, "two attempts");
            assertThat(sink.failures.get(0)).contains("would not be held back");
        }
        ShutdownSource missing = new ShutdownSource(
                new ShutdownSource.Commands(List.of("/no/such/inhibit"), shell("cat"), shell("echo t 1")),
                Clocks.SYSTEM,
                () -> empty);
        try (RecordingSink sink = new RecordingSink(missing)) {
            sink.awaitFailure("/no/such/inhibit");
        }
    }
}
