// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.metadata;

import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.HttpFake;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The metadata server of one Compute Engine spot instance: {@code Metadata-Flavor: Google} or 403, and reads that hang
 * until a value changes ({@code wait_for_change}, {@code last_etag}, {@code timeout_sec}), as "About VM metadata" says.
 */
public final class GoogleMetadata extends HttpFake implements CloudMetadata {
    private static final String BASE = "/computeMetadata/v1/";
    public static final String PREEMPTED = BASE + "instance/preempted";
    public static final String MAINTENANCE = BASE + "instance/maintenance-event";
    /** No test waits longer for a change. */
    private static final int MAX_WAIT_SECONDS = 300;

    private final Map<String, Value> values = new HashMap<>();
    private final AtomicInteger noticesRead = new AtomicInteger();
    private long version;
    private boolean closed;

    private record Value(String text, String etag) {}

    private GoogleMetadata(InstantSource clock) throws IOException {
        super("google-metadata", clock);
        set(PREEMPTED, "FALSE");
        set(MAINTENANCE, "NONE");
        set(BASE + "instance/id", "4520031799277581759");
        set(BASE + "instance/name", "lifeboat-host");
    }

    public static GoogleMetadata start(InstantSource clock) throws IOException {
        return new GoogleMetadata(clock);
    }

    public synchronized void set(String path, String text) {
        values.put(path, new Value(text, String.format("%016x", 0x4a5f_0000L + ++version)));
        notifyAll();
    }

    /** @param event NONE, MIGRATE_ON_HOST_MAINTENANCE or TERMINATE_ON_HOST_MAINTENANCE */
    public void maintenance(String event) {
        set(MAINTENANCE, event);
    }

    /** This cloud names no deadline: how long is left depends on how the instance was made. */
    @Override
    public void announce(Instant deadline) {
        set(PREEMPTED, "TRUE");
    }

    @Override
    public void withdraw() {
        set(PREEMPTED, "FALSE");
        set(MAINTENANCE, "NONE");
    }

    @Override
    public void hint() {
        maintenance("MIGRATE_ON_HOST_MAINTENANCE");
    }

    @Override
    public int noticesRead() {
        return noticesRead.get();
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        super.close();
    }

    @Override
    protected FakeAnswer answer(FakeRequest request) throws InterruptedException {
        if (!request.header("Metadata-Flavor").map("Google"::equals).orElse(false)
                || request.header("X-Forwarded-For").isPresent()) {
            return text(403, "Missing Metadata-Flavor:Google header.", Optional.empty());
        }
        if (!request.method().equals("GET")) {
            return text(405, "", Optional.empty());
        }
        Map<String, String> query = query(request);
        Optional<Value> value = query.getOrDefault("wait_for_change", "false").equals("true")
                ? await(request.path(), query)
                : value(request.path());
        if (value.isEmpty()) {
            return text(404, "", Optional.empty());
        }
        if (value.get().text().equals("TRUE")) {
            noticesRead.incrementAndGet();
        }
        return text(200, value.get().text(), Optional.of(value.get().etag()));
    }

    private synchronized Optional<Value> value(String path) {
        return Optional.ofNullable(values.get(path));
    }

    private synchronized Optional<Value> await(String path, Map<String, String> query) throws InterruptedException {
        Value now = values.get(path);
        String known = query.getOrDefault("last_etag", now == null ? "" : now.etag());
        int seconds = Integer.parseInt(query.getOrDefault("timeout_sec", Integer.toString(MAX_WAIT_SECONDS)));
        long limitNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(Math.min(seconds, MAX_WAIT_SECONDS));
        while (!closed && values.containsKey(path) && values.get(path).etag().equals(known)) {
            long leftMs = TimeUnit.NANOSECONDS.toMillis(limitNs - System.nanoTime());
            if (leftMs <= 0) {
                break;
            }
            wait(leftMs);
        }
        return Optional.ofNullable(values.get(path));
    }

    private static Map<String, String> query(FakeRequest request) {
        Map<String, String> parts = new HashMap<>();
        String query = request.uri().getQuery();
        if (query != null) {
            for (String part : query.split("&")) {
                int equals = part.indexOf('=');
                parts.put(equals < 0 ? part : part.substring(0, equals), equals < 0 ? "" : part.substring(equals + 1));
            }
        }
        return parts;
    }

    private static FakeAnswer text(int status, String body, Optional<String> etag) {
        Map<String, String> headers = new HashMap<>(Map.of(
                "Content-Type", "application/text", "Metadata-Flavor", "Google", "Server", "Metadata Server for VM"));
        etag.ifPresent(tag -> headers.put("ETag", tag));
        return new FakeAnswer(status, headers, body);
    }
}
