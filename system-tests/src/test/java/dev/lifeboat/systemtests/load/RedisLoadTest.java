// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** A load client that misses a lost write would make every system test worthless: each kind of damage is shown to it. */
final class RedisLoadTest {

    private FakeRedis redis;
    private RedisLoad load;
    private Thread thread;

    @BeforeEach
    void start() throws Exception {
        redis = new FakeRedis();
        load = new RedisLoad();
        new CommandLine(load).parseArgs("127.0.0.1", String.valueOf(redis.port()), "--keys", "50", "--rate", "20000");
        thread = new Thread(load::work, "redis-load");
        thread.setDaemon(true);
        thread.start();
        await(report -> report.operations() > 500);
    }

    @AfterEach
    void stop() throws Exception {
        load.finish(20);
        thread.join(5_000);
        redis.close();
    }

    private LoadReport await(Predicate<LoadReport> condition) throws Exception {
        long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        LoadReport report = load.report();
        while (!condition.test(report)) {
            assertThat(System.nanoTime()).as("waiting; last seen " + report).isLessThan(deadlineNs);
            Thread.sleep(5);
            report = load.report();
        }
        return report;
    }

    @Test
    void aHealthyServerGivesNoErrorAndEveryKeyIsSeenAgain() throws Exception {
        LoadReport last = load.finish(20);
        assertThat(last.verified()).isTrue();
        assertThat(last.errors()).as(last.firstError()).isZero();
        assertThat(last.reconnects()).isZero();
        assertThat(last.lostWrites()).isZero();
        assertThat(last.acknowledgedKeys()).isEqualTo(50);
        assertThat(last.latencyMicrosP50()).isPositive();
    }

    @Test
    void aWriteThatWasAcknowledgedAndNotKeptIsAnErrorWhenReadBackAndLostAtTheEnd() throws Exception {
        redis.dropWrites = true;
        assertThat(await(report -> report.errors() > 0).firstError()).contains("LOST");
        LoadReport last = load.finish(20);
        assertThat(last.lostWrites()).isPositive();
        assertThat(last.oldestLostAgeMillis()).isNotNegative();
    }

    @Test
    void aDamagedValueIsSeen() throws Exception {
        long operations = load.report().operations();
        redis.dropWrites = true;
        redis.data.replaceAll((key, value) -> value.substring(0, value.length() - 1) + "#");
        await(report -> report.operations() > operations + 200);
        LoadReport last = load.finish(20);
        assertThat(last.errors()).isPositive();
        assertThat(last.lostWrites()).isPositive();
    }

    @Test
    void aBrokenConnectionIsAnErrorAndAReconnectAndTheRunGoesOn() throws Exception {
        redis.breakNextConnection = true;
        LoadReport broken = await(report -> report.reconnects() == 1);
        assertThat(broken.errors()).isEqualTo(1);
        assertThat(broken.firstError()).contains("connection");
        await(report -> report.operations() > broken.operations() + 300);
        assertThat(load.finish(20).lostWrites()).isZero();
    }

    @Test
    void aStallIsMeasuredWhileItLastsAndAfterwards() throws Exception {
        redis.stallNextMs = 600;
        await(report -> report.currentStallMillis() >= 300);
        LoadReport after = await(report -> report.currentStallMillis() < 300 && report.longestStallMillis() >= 600);
        assertThat(after.longestStallMillis()).isLessThan(5_000);
        assertThat(after.errors()).isZero();
    }
}
