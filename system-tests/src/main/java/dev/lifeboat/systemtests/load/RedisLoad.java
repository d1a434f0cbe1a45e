// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Loads a Redis server over one TCP connection with numbered writes, reads each back half a round later, and at the end
 * reads every acknowledged key once more. Runs in the client machine; the harness asks by {@link LoadControl}.
 *
 * <p>Threads: {@code redis-load} owns the connection and the ledger; {@code load-control} answers the harness and reads
 * the published report only.
 */
@Command(name = "redis-load", description = "Redis load over one connection that remembers what it was promised")
public final class RedisLoad implements Runnable {

    @Parameters(index = "0", description = "host of the Redis server")
    private String host;

    @Parameters(index = "1", description = "port of the Redis server")
    private int port;

    @Option(names = "--control", defaultValue = "0", description = "port on which the harness asks; 0 for none")
    private int controlPort;

    @Option(names = "--keys", defaultValue = "2000", description = "distinct keys")
    private int keys;

    @Option(names = "--value-bytes", defaultValue = "500", description = "size of each value")
    private int valueBytes;

    @Option(names = "--window", defaultValue = "4", description = "operations under way at a time")
    private int window;

    @Option(names = "--rate", defaultValue = "0", description = "operations per second at most; 0 for no limit")
    private int ratePerSecond;

    @Option(names = "--seconds", defaultValue = "0", description = "finish by itself after this time; 0: when told to")
    private long seconds;

    @Option(names = "--reply-seconds", defaultValue = "120", description = "without an answer for this long: an error")
    private int replySeconds;

    @Option(names = "--hold", description = "connect only when the harness says begin")
    private boolean hold;

    /** Longer than any boot that the harness waits for. */
    private static final long HOLD_SECONDS = 900;

    private static final int CONNECT_MILLIS = 5_000;
    private static final LoadReport NOT_STARTED = new LoadReport(0, 0, 0, 0, 0, 0, 0, 0, 0, false, 0, 0, 0, "");
    private static final long RECONNECT_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(500);

    /** One request whose answer is due. */
    private record Due(long number, boolean write, long sentNs) {}

    private final ArrayDeque<Due> due = new ArrayDeque<>();
    private final LatencyHistogram latencies = new LatencyHistogram();
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile boolean finishing;
    private volatile LoadReport report;
    private volatile long lastAnswerNs;
    private volatile boolean waiting;

    private WriteLedger ledger;
    private RespConnection connection;
    private long startNs;
    private long nextNumber;
    private long operations;
    private long errors;
    private long connectionsOpened;
    private long longestStallNs;
    private long longestStallAtNs;
    private String firstError = "";

    public static void main(String[] args) {
        System.exit(new CommandLine(new RedisLoad()).execute(args));
    }

    @Override
    public void run() {
        try (LoadControl control = LoadControl.open(controlPort, this)) {
            work();
            System.out.println(new ObjectMapper().writeValueAsString(report));
            control.awaitLastQuestion();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        System.exit(report.errors() == 0 && report.lostWrites() == 0 ? 0 : 1);
    }

    /** The whole run on the calling thread, until {@link #finish} or the time given. */
    void work() {
        ledger = new WriteLedger(keys, valueBytes);
        if (hold) {
            awaitBegin();
        }
        startNs = System.nanoTime();
        lastAnswerNs = startNs;
        publish(false, 0, 0, 0);
        load();
        verify();
        finished.countDown();
    }

    private void awaitBegin() {
        try {
            if (!begun.await(HOLD_SECONDS, TimeUnit.SECONDS)) {
                throw new IllegalStateException("nobody said begin within " + HOLD_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted before the load began", e);
        }
    }

    /** Lets a load that was told to hold connect; any thread. */
    void begin() {
        begun.countDown();
    }

    /** The newest figures; any thread. */
    LoadReport report() {
        LoadReport last = report;
        if (last == null) {
            return NOT_STARTED;
        }
        long stallMs = waiting ? TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lastAnswerNs) : 0;
        return new LoadReport(
                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs),
                last.operations(),
                last.errors(),
                last.reconnects(),
                stallMs,
                Math.max(stallMs, last.longestStallMillis()),
                last.longestStallAtMillis(),
                last.latencyMicrosP50(),
                last.latencyMicrosP99(),
                last.verified(),
                last.acknowledgedKeys(),
                last.lostWrites(),
                last.oldestLostAgeMillis(),
                last.firstError());
    }

    /** Stops the load, waits for the last look at every key, and answers with the final figures; any thread. */
    LoadReport finish(long timeoutSeconds) throws InterruptedException {
        finishing = true;
        begun.countDown();
        if (!finished.await(timeoutSeconds, TimeUnit.SECONDS)) {
            return report();
        }
        return report;
    }

    private void load() {
        long endNs = seconds == 0 ? Long.MAX_VALUE : TimeUnit.SECONDS.toNanos(seconds);
        while (!finishing && System.nanoTime() - startNs < endNs) {
            try {
                connectIfNeeded();
                send(nextNumber);
                nextNumber++;
                while (due.size() >= window || !due.isEmpty() && connection.replyIsWaiting()) {
                    receive();
                }
                holdRate();
            } catch (IOException e) {
                connectionBroke(e);
            }
        }
        try {
            while (!due.isEmpty()) {
                receive();
            }
        } catch (IOException e) {
            connectionBroke(e);
        }
    }

    private void connectIfNeeded() throws IOException {
        if (connection == null) {
            connection = new RespConnection(host, port, CONNECT_MILLIS, (int) TimeUnit.SECONDS.toMillis(replySeconds));
            connectionsOpened++;
        }
    }

    /** A write, and the read of the write half a round earlier: after it was acknowledged, before it is overwritten. */
    private void send(long number) throws IOException {
        if (due.isEmpty()) {
            lastAnswerNs = System.nanoTime(); // nothing was due before now: a stall begins here at the earliest
        }
        waiting = true;
        ledger.attempting(number);
        connection.request("SET", ledger.key(number), ledger.value(number));
        due.add(new Due(number, true, System.nanoTime()));
        long earlier = number - Math.max(1, keys / 2);
        if (earlier >= 0) {
            connection.request("GET", ledger.key(earlier));
            due.add(new Due(earlier, false, System.nanoTime()));
        }
        connection.flush();
    }

    private void receive() throws IOException {
        Due expected = due.peek();
        String reply;
        try {
            reply = connection.reply();
        } catch (RespConnection.RedisErrorException e) {
            answered();
            due.poll();
            error("the server answered " + e.getMessage());
            return;
        }
        answered();
        due.poll();
        long nowNs = System.nanoTime();
        latencies.add((nowNs - expected.sentNs()) / 1000);
        operations++;
        int key = (int) (expected.number() % keys);
        if (expected.write()) {
            if (reply.equals("OK")) {
                ledger.acknowledged(expected.number(), TimeUnit.NANOSECONDS.toMillis(nowNs - startNs));
            } else {
                error("SET " + expected.number() + " was answered " + reply);
            }
        } else if (ledger.judge(key, reply) != WriteLedger.Verdict.KEPT) {
            error("GET " + ledger.key(expected.number()) + " read " + ledger.judge(key, reply) + ": " + head(reply));
        }
        if (operations % 64 == 0) {
            publish(false, 0, 0, 0);
        }
    }

    private static String head(String value) {
        return value == null ? "nothing" : value.substring(0, Math.min(40, value.length()));
    }

    private void answered() {
        long nowNs = System.nanoTime();
        long stallNs = nowNs - lastAnswerNs;
        if (stallNs > longestStallNs) {
            longestStallNs = stallNs;
            longestStallAtNs = lastAnswerNs - startNs;
            publish(false, 0, 0, 0);
        }
        lastAnswerNs = nowNs;
        waiting = due.size() > 1;
    }

    private void holdRate() throws IOException {
        if (ratePerSecond == 0) {
            return;
        }
        long earliestNs = startNs + nextNumber * 2 * 1_000_000_000L / ratePerSecond;
        while (System.nanoTime() - earliestNs < 0 && !finishing) {
            if (due.isEmpty()) {
                LockSupport.parkNanos(Math.min(50_000_000, earliestNs - System.nanoTime()));
            } else {
                receive();
            }
        }
    }

    private void connectionBroke(IOException e) {
        error("connection: " + e);
        due.clear(); // their writes stay "attempted": the server may or may not have them
        waiting = false;
        if (connection != null) {
            try {
                connection.close();
            } catch (IOException alreadyGone) {
                e.addSuppressed(alreadyGone);
            }
            connection = null;
        }
        LockSupport.parkNanos(RECONNECT_PAUSE_NS);
    }

    private void error(String what) {
        errors++;
        if (firstError.isEmpty()) {
            firstError = what;
        }
        publish(false, 0, 0, 0);
    }

    /** Every key that has an acknowledged write must still have that one, or a later one whose answer was not seen. */
    private void verify() {
        long present = 0;
        long lost = 0;
        long lastAckMs = 0;
        long oldestLostMs = Long.MAX_VALUE;
        for (int key = 0; key < keys; key++) {
            if (ledger.wasAcknowledged(key)) {
                present++;
                lastAckMs = Math.max(lastAckMs, ledger.acknowledgedAtMs(key));
                if (readAgain(key) != WriteLedger.Verdict.KEPT) {
                    lost++;
                    oldestLostMs = Math.min(oldestLostMs, ledger.acknowledgedAtMs(key));
                }
            }
        }
        publish(true, present, lost, lost == 0 ? 0 : lastAckMs - oldestLostMs);
    }

    private WriteLedger.Verdict readAgain(int key) {
        for (int attempt = 0; attempt < 3; attempt++) {
            try {
                connectIfNeeded();
                connection.request("GET", ledger.key(key));
                connection.flush();
                return ledger.judge(key, connection.reply());
            } catch (IOException e) {
                connectionBroke(e);
            }
        }
        return WriteLedger.Verdict.LOST;
    }

    private void publish(boolean verified, long acknowledgedKeys, long lost, long oldestLostAgeMs) {
        report = new LoadReport(
                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs),
                operations,
                errors,
                Math.max(0, connectionsOpened - 1),
                0,
                TimeUnit.NANOSECONDS.toMillis(longestStallNs),
                TimeUnit.NANOSECONDS.toMillis(longestStallAtNs),
                latencies.percentile(0.50),
                latencies.percentile(0.99),
                verified,
                acknowledgedKeys,
                lost,
                oldestLostAgeMs,
                firstError);
    }
}
