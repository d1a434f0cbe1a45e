// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes;

import java.io.IOException;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/**
 * An HTTP server on 127.0.0.1 that records every request and can be made to fail: the base of every fake. Served by
 * one daemon thread {@code NAME-N} for each connection; a request that hangs holds its own. Its Date header is the
 * fake's clock unless said otherwise, so that a clock that is wrong can be played.
 */
public abstract class HttpFake implements AutoCloseable {
    private record Planned(Predicate<FakeRequest> when, Fault fault) {}

    private final RawHttpServer server;
    private final InstantSource clock;
    private final InstantSource dates;
    private final List<FakeRequest> requests = new CopyOnWriteArrayList<>();
    private final ConcurrentLinkedQueue<Planned> faults = new ConcurrentLinkedQueue<>();

    protected HttpFake(String name, InstantSource clock) throws IOException {
        this(name, clock, clock);
    }

    /** @param dates of the Date header, for a client that corrects its own clock by it */
    protected HttpFake(String name, InstantSource clock, InstantSource dates) throws IOException {
        this.clock = clock;
        this.dates = dates;
        server = new RawHttpServer(name, this::handle);
    }

    /** What a good service answers. Called by several threads. */
    protected abstract FakeAnswer answer(FakeRequest request) throws IOException, InterruptedException;

    protected final InstantSource clock() {
        return clock;
    }

    public final int port() {
        return server.port();
    }

    public final String url() {
        return "http://127.0.0.1:" + port();
    }

    /** Everything asked so far, in the order of arrival. */
    public final List<FakeRequest> requests() {
        return List.copyOf(requests);
    }

    public final List<FakeRequest> requests(Predicate<FakeRequest> which) {
        return requests.stream().filter(which).toList();
    }

    /** The next request that fits meets this fault; one fault a call. */
    public final void failNext(Predicate<FakeRequest> when, Fault fault) {
        faults.add(new Planned(when, fault));
    }

    /** Faults that have met no request yet: a test that planned them wants 0. */
    public final int faultsLeft() {
        return faults.size();
    }

    private RawHttpServer.Reply handle(FakeRequest request) throws IOException, InterruptedException {
        requests.add(request);
        Fault fault = take(request);
        if (fault == null) {
            return reply(Optional.of(answer(request)), false);
        }
        Thread.sleep(fault.delay().toMillis());
        FakeAnswer right = fault.takesEffect() ? answer(request) : FakeAnswer.empty(500);
        if (!fault.cut()) {
            return reply(Optional.of(fault.instead().orElse(right)), false);
        }
        return reply(fault.instead(), true);
    }

    private RawHttpServer.Reply reply(Optional<FakeAnswer> answer, boolean cut) {
        String date =
                DateTimeFormatter.RFC_1123_DATE_TIME.format(dates.instant().atZone(ZoneOffset.UTC));
        return new RawHttpServer.Reply(answer, date, cut);
    }

    private Fault take(FakeRequest request) {
        for (Planned planned : faults) {
            if (planned.when().test(request) && faults.remove(planned)) {
                return planned.fault();
            }
        }
        return null;
    }

    @Override
    public void close() {
        server.close();
    }
}
