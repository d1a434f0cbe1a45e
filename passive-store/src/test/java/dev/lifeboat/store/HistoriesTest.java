// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/**
 * Random histories of one VM's store against a model in memory. {@code -Dlifeboat.histories=N} runs more than the
 * normal build, {@code -Dlifeboat.histories.seed=N} begins elsewhere.
 */
class HistoriesTest {
    private static final int HISTORIES = Integer.getInteger("lifeboat.histories", 10_000);
    /** For every kind of event to happen; a single history is run to look at a failure. */
    private static final int ENOUGH = 1_000;

    private static final long SEED = Long.getLong("lifeboat.histories.seed", 3_000_000L);

    private Level level;

    @BeforeEach
    void silenceTheStore() {
        // Every damaged or fenced epoch is a warning, and here they come by the thousand.
        level = logger().getLevel();
        logger().setLevel(Level.ERROR);
    }

    @AfterEach
    void letTheStoreSpeak() {
        logger().setLevel(level);
    }

    private static Logger logger() {
        return (Logger) LoggerFactory.getLogger("dev.lifeboat.store");
    }

    @Test
    void everyRestoreOfAnyHistoryEqualsTheModelOrNamesTheDamagedObject() throws Exception {
        int threadCount = 2;
        ExecutorService threads = Executors.newFixedThreadPool(threadCount);
        AtomicInteger next = new AtomicInteger();
        HistoryStats stats = new HistoryStats();
        try {
            List<Future<?>> runs = new ArrayList<>();
            for (int thread = 0; thread < threadCount; thread++) {
                runs.add(threads.submit(() -> {
                    for (int n = next.getAndIncrement(); n < HISTORIES; n = next.getAndIncrement()) {
                        run(SEED + n, stats);
                    }
                }));
            }
            for (Future<?> run : runs) {
                run.get();
            }
        } finally {
            threads.shutdownNow();
        }
        System.out.println(stats);
        if (HISTORIES >= ENOUGH) {
            // Histories that never meet what they are about show nothing.
            assertThat(stats.everythingHappened(HISTORIES)).as("%s", stats).isTrue();
        }
    }

    private static void run(long seed, HistoryStats stats) {
        try (History history = new History(new Random(seed), stats)) {
            history.run();
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(
                    "history with seed " + seed + " (-Dlifeboat.histories=1 -Dlifeboat.histories.seed=" + seed + "): "
                            + e.getMessage(),
                    e);
        }
    }

    @Test
    void aHistoryNoticesAWrongPage() {
        // The test's own check: a store that gives back another page than was written must not pass.
        Random random = new Random(SEED);
        History history = new History(random, new HistoryStats());
        history.corruptModel();
        assertThatThrownBy(history::run).isInstanceOf(AssertionError.class);
        history.close();
    }
}
