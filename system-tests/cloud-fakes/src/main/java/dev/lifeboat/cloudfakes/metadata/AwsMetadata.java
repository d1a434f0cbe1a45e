// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.metadata;

import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.HttpFake;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The instance metadata service of one EC2 spot instance, version 2 only and strict about it: every read needs a token
 * from a PUT, tokens end, {@code X-Forwarded-For} is refused. The notice is 404 until it is announced. Shapes after the
 * EC2 user guide: "Use IMDSv2", "Spot Instance interruption notices", "Rebalance recommendations", "Scheduled events".
 */
public final class AwsMetadata extends HttpFake implements CloudMetadata {
    public static final String TOKEN = "/latest/api/token";
    public static final String ACTION = "/latest/meta-data/spot/instance-action";
    public static final String REBALANCE = "/latest/meta-data/events/recommendations/rebalance";
    public static final String MAINTENANCE = "/latest/meta-data/events/maintenance/scheduled";
    public static final String LIFECYCLE = "/latest/meta-data/autoscaling/target-lifecycle-state";

    private static final int MAX_TTL_SECONDS = 21_600;
    private static final String TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds";
    private static final String TERMINATION_TIME = "/latest/meta-data/spot/termination-time";

    private final Map<String, Token> tokens = new ConcurrentHashMap<>();
    private final Map<String, String> documents = new ConcurrentHashMap<>();
    private final AtomicInteger noticesRead = new AtomicInteger();

    private record Token(Instant end, String ttl) {}

    private AwsMetadata(InstantSource clock) throws IOException {
        super("aws-metadata", clock);
        documents.put("/latest/meta-data/instance-id", "i-0123456789abcdef0");
        documents.put("/latest/meta-data/instance-life-cycle", "spot");
        documents.put(MAINTENANCE, "[]");
    }

    public static AwsMetadata start(InstantSource clock) throws IOException {
        return new AwsMetadata(clock);
    }

    /** The instance will be terminated at {@code deadline}. */
    public void announceTermination(Instant deadline) {
        announce("terminate", deadline);
    }

    /** @param action terminate, stop or hibernate */
    public void announce(String action, Instant deadline) {
        // The service counts in whole seconds; rounding down keeps the promise it makes.
        String time = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss'Z'")
                .withZone(ZoneOffset.UTC)
                .format(deadline);
        documents.put(ACTION, "{\"action\":\"" + action + "\",\"time\":\"" + time + "\"}");
        documents.put(TERMINATION_TIME, time);
    }

    /** The instance is likely to be interrupted; no time is known. */
    public void recommendRebalance() {
        documents.put(REBALANCE, "{\"noticeTime\":\"" + clock().instant().truncatedTo(ChronoUnit.SECONDS) + "\"}");
    }

    /** One scheduled event, such as {@code system-reboot}; replaces an earlier one. */
    public void scheduleMaintenance(String eventId, String code, Instant notBefore) {
        DateTimeFormatter form = DateTimeFormatter.ofPattern("d MMM yyyy HH:mm:ss 'GMT'", Locale.ENGLISH)
                .withZone(ZoneOffset.UTC);
        documents.put(
                MAINTENANCE,
                "[{\"NotBefore\":\"" + form.format(notBefore) + "\",\"Code\":\"" + code
                        + "\",\"Description\":\"scheduled " + code + "\",\"EventId\":\"" + eventId
                        + "\",\"NotAfter\":\"" + form.format(notBefore.plusSeconds(7_200))
                        + "\",\"State\":\"active\"}]");
    }

    /** @param state such as {@code InService}, {@code Terminated} */
    public void lifecycle(String state) {
        documents.put(LIFECYCLE, state);
    }

    /** What a document says, whatever that is; for answers that no good service gives. */
    public void document(String path, String body) {
        documents.put(path, body);
    }

    /** As after a restart of the service: it knows none of the tokens it gave. */
    public void forgetTokens() {
        tokens.clear();
    }

    @Override
    public void announce(Instant deadline) {
        announceTermination(deadline);
    }

    @Override
    public void withdraw() {
        documents.remove(ACTION);
        documents.remove(TERMINATION_TIME);
        documents.remove(REBALANCE);
        documents.remove(LIFECYCLE);
        documents.put(MAINTENANCE, "[]");
    }

    @Override
    public void hint() {
        recommendRebalance();
    }

    /** How often somebody with a good token has read the notice. */
    @Override
    public int noticesRead() {
        return noticesRead.get();
    }

    @Override
    protected FakeAnswer answer(FakeRequest request) {
        if (request.header("X-Forwarded-For").isPresent()) {
            return text(403, "forwarded requests are refused");
        }
        if (request.path().equals(TOKEN)) {
            return token(request);
        }
        if (!request.method().equals("GET")) {
            return text(405, "");
        }
        Token token =
                request.header("X-aws-ec2-metadata-token").map(tokens::get).orElse(null);
        if (token == null || !clock().instant().isBefore(token.end())) {
            return text(401, "");
        }
        String document = documents.get(request.path());
        if (document != null && request.path().equals(ACTION)) {
            noticesRead.incrementAndGet();
        }
        return new FakeAnswer(
                document == null ? 404 : 200,
                Map.of("Content-Type", "text/plain", TTL_HEADER, token.ttl()),
                document == null ? "" : document);
    }

    private FakeAnswer token(FakeRequest request) {
        if (!request.method().equals("PUT")) {
            return text(405, "");
        }
        String ttl = request.header(TTL_HEADER).orElse("");
        if (!ttl.matches("[1-9][0-9]{0,4}") || Integer.parseInt(ttl) > MAX_TTL_SECONDS) {
            return text(400, "");
        }
        String token = UUID.randomUUID().toString();
        tokens.put(token, new Token(clock().instant().plusSeconds(Long.parseLong(ttl)), ttl));
        return new FakeAnswer(200, Map.of("Content-Type", "text/plain", TTL_HEADER, ttl), token);
    }

    private static FakeAnswer text(int status, String body) {
        return FakeAnswer.of(status, "text/plain", body);
    }
}
