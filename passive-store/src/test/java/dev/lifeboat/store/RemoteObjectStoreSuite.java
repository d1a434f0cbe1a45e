// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.FaultProxy.Fault;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collections;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every back end behind a network does besides: answers that are late, lost or refusals. */
abstract class RemoteObjectStoreSuite extends ObjectStoreSuite {
    private RemoteBackEnd remote;

    @Override
    abstract RemoteBackEnd backEnd() throws Exception;

    @BeforeEach
    void remember() {
        remote = (RemoteBackEnd) backEnd;
    }

    @Test
    void messagesNeverShowCredentials() {
        assertThat(objects.describe())
                .doesNotContain(remote.secret())
                .contains(remote.faults().endpoint());
        remote.faults().onReads(Collections.nCopies(20, Fault.CUT_BEFORE).toArray(Fault[]::new));
        assertThatThrownBy(() -> objects.get("a"))
                .hasMessageContaining(remote.faults().endpoint())
                .message()
                .doesNotContain(remote.secret());
    }

    @Test
    void wrongCredentialsAreSaidAtOnce() {
        Optional<ObjectStore> refused = remote.openRefused();
        if (refused.isEmpty()) {
            return;
        }
        try (ObjectStore store = refused.get()) {
            long startNs = System.nanoTime();
            assertThatThrownBy(() -> store.list("vm/", 1))
                    .isInstanceOf(StoreException.class)
                    .isNotInstanceOf(UnclearOutcomeException.class)
                    .hasMessageContaining("access denied")
                    .hasMessageContaining("credentials");
            assertThatThrownBy(() -> store.putIfAbsent("a", bytes("x"))).hasMessageContaining("access denied");
            assertThatThrownBy(() -> store.get("a")).hasMessageContaining("access denied");
            assertThat(Duration.ofNanos(System.nanoTime() - startNs)).isLessThan(Duration.ofSeconds(5));
        }
    }

    @Test
    void aMissingBucketIsNamed() {
        try (ObjectStore other = remote.openMissing("other")) {
            assertThatThrownBy(() -> other.list("vm/", 1))
                    .hasMessageContaining("'other'")
                    .hasMessageContaining("create it");
            assertThatThrownBy(() -> other.get("vm")).hasMessageContaining("'other'");
            assertThatThrownBy(() -> other.put("vm", bytes("x"))).hasMessageContaining("'other'");
            assertThatThrownBy(() -> other.putIfAbsent("vm", bytes("x")))
                    .isNotInstanceOf(UnclearOutcomeException.class)
                    .hasMessageContaining("'other'");
        }
    }

    @Test
    void aServerThatIsNotThereIsSaidWithinTwentySeconds() throws Exception {
        int port;
        try (ServerSocket unused = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = unused.getLocalPort();
        }
        assertUnreachable("http://127.0.0.1:" + port);
    }

    @Test
    void aServerThatNeverAnswersIsSaidWithinTwentySeconds() throws Exception {
        // The kernel accepts the connection; nobody reads it.
        try (ServerSocket silent = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
            assertUnreachable("http://127.0.0.1:" + silent.getLocalPort());
        }
    }

    private void assertUnreachable(String endpoint) {
        try (ObjectStore gone = remote.openAt(endpoint)) {
            long startNs = System.nanoTime();
            assertThatThrownBy(() -> gone.list("vm/", 1))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining(endpoint)
                    .hasMessageContaining("check the endpoint and the network");
            assertThat(Duration.ofNanos(System.nanoTime() - startNs)).isLessThan(Duration.ofSeconds(20));
        }
    }

    /** The outcome is known in the end, whatever became of each try: created here, and by nobody else afterwards. */
    @ParameterizedTest
    @EnumSource(Fault.class)
    void aPutIfAbsentThatFailsOnTheWayIsResolvedByReadingBack(Fault fault) {
        // More than the client library's own tries, where it has any for this fault; ours must go on.
        int times = fault == Fault.SILENT_AFTER_COMMIT ? 1 : 3;
        remote.faults().onUploads(Collections.nCopies(times, fault).toArray(Fault[]::new));
        assertThat(PutOnce.put(objects, "once", bytes("mine"))).isEmpty();
        assertThat(objects.get("once")).contains(bytes("mine"));
        assertThat(PutOnce.put(objects, "once", bytes("other"))).contains(bytes("mine"));
    }

    @Test
    void aPutIfAbsentThatIsNeverAnsweredClearlyIsAnErrorAndNotAGuess() {
        remote.faults().onUploads(Collections.nCopies(200, Fault.BUSY).toArray(Fault[]::new));
        assertThatThrownBy(() -> PutOnce.put(objects, "once", bytes("mine")))
                .isInstanceOf(UnclearOutcomeException.class)
                .hasMessageContaining("could not find out");
        remote.faults().clear();
        assertThat(objects.get("once")).isEmpty();
    }

    @Test
    void readsGoOnAfterAnswersThatBreakOff() {
        byte[] content = new byte[300_000];
        new Random(3).nextBytes(content);
        objects.put("a", ByteBuffer.wrap(content));
        remote.faults().onReads(Fault.CUT_ANSWER, Fault.BUSY);
        assertThat(objects.get("a")).contains(ByteBuffer.wrap(content));
        remote.faults().onReads(Fault.BUSY, Fault.CUT_ANSWER);
        ByteBuffer into = ByteBuffer.allocate(content.length);
        objects.read("a", 0, content.length, into);
        assertThat(into.flip()).isEqualTo(ByteBuffer.wrap(content));
        remote.faults().onReads(Fault.CUT_ANSWER);
        assertThat(objects.list("", 10)).containsExactly("a");
        assertThat(remote.faults().faultsAreUsedUp()).isTrue();
    }
}
