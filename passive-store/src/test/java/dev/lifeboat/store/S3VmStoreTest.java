// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.FakeS3.Fault;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class S3VmStoreTest extends VmStoreSuite {
    private static final int PAGES = 64;
    private FakeS3 s3;

    @Override
    ObjectStore open() throws Exception {
        // The default chain's first provider; never a real account.
        System.setProperty("aws.accessKeyId", "test");
        System.setProperty("aws.secretAccessKey", "test");
        s3 = new FakeS3();
        return ObjectStores.open("s3://bucket/some/prefix", Optional.of(s3.endpoint()), Optional.empty());
    }

    @AfterEach
    void stopServer() {
        s3.close();
    }

    @Override
    int histories() {
        return 60;
    }

    @Test
    void objectsAreUnderThePrefix() {
        objects.put("a", bytes("x"));
        assertThat(s3.objects).containsOnlyKeys("some/prefix/a");
    }

    @Test
    void listsGoOnBeyondOnePage() {
        synchronized (s3.objects) {
            IntStream.range(0, 2_500).forEach(i -> s3.objects.put(String.format("some/prefix/p/%05d", i), new byte[0]));
        }
        assertThat(objects.list("p/", Integer.MAX_VALUE)).hasSize(2_500).isSorted();
        assertThat(objects.list("p/", 1_200)).hasSize(1_200);
    }

    @Test
    void anUnclearClaimIsResolvedByReadingBack() {
        for (Fault fault : Fault.values()) {
            if (fault == Fault.CUT_BODY) {
                continue;
            }
            OwnerRecord record = record(1 + fault.ordinal());
            // More than the SDK's own four tries where it has any (not for 409): ours must go on.
            Fault[] faults = new Fault[fault == Fault.CONFLICT ? 3 : 5];
            Arrays.fill(faults, fault);
            s3.onPuts(faults);
            assertThat(vm.owners().claim(record)).as("%s", fault).isEqualTo(record);
            OwnerRecord rival = record(1 + fault.ordinal());
            assertThat(vm.owners().claim(rival)).as("%s", fault).isEqualTo(record);
        }
    }

    @Test
    void aClaimThatIsNeverAnsweredClearlyIsAnErrorAndNotAGuess() {
        s3.onPuts(IntStream.range(0, 100).mapToObj(i -> Fault.CONFLICT).toArray(Fault[]::new));
        assertThatThrownBy(() -> vm.owners().claim(record(1)))
                .isInstanceOf(UnclearOutcomeException.class)
                .hasMessageContaining("could not find out");
        assertThat(s3.objects).isEmpty();
    }

    @Test
    void epochsSurviveAServerThatFailsNowAndThen() {
        long seed = 77;
        Random random = new Random(seed);
        ModelVm model = new ModelVm(PAGES);
        Fault[] puts = {Fault.SLOW_DOWN, Fault.CUT_BEFORE, Fault.CUT_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, null};
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            for (int epoch = 1; epoch <= 8; epoch++) {
                model.write(random, 30);
                Fault fault = puts[random.nextInt(puts.length)];
                if (fault != null) {
                    s3.onPuts(fault);
                }
                model.append(writer);
                assertThat(model.commit(writer).epoch()).as("seed %d", seed).isEqualTo(epoch);
            }
        }
        s3.onGets(Fault.SLOW_DOWN, Fault.CUT_BODY, Fault.CUT_BODY);
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
        assertThat(s3.faultsAreUsedUp()).isTrue();
    }

    @Test
    void wrongCredentialsAreSaidAtOnce() {
        s3.refuseCredentials();
        assertThatThrownBy(() -> vm.owners().newest())
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("access denied (403 InvalidAccessKeyId)")
                .hasMessageContaining("AWS_ACCESS_KEY_ID");
        assertThatThrownBy(() -> vm.owners().claim(record(1))).hasMessageContaining("access denied");
    }

    @Test
    void aMissingBucketIsNamed() {
        try (ObjectStore other = ObjectStores.open("s3://other", Optional.of(s3.endpoint()), Optional.empty())) {
            assertThatThrownBy(() -> other.list("vm/", 1)).hasMessageContaining("there is no bucket 'other'");
            assertThatThrownBy(() -> other.get("vm")).hasMessageContaining("there is no bucket 'other'");
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

    private static void assertUnreachable(String endpoint) {
        try (ObjectStore gone = ObjectStores.open("s3://bucket", Optional.of(endpoint), Optional.empty())) {
            long startNs = System.nanoTime();
            assertThatThrownBy(() -> gone.list("vm/", 1))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining(endpoint)
                    .hasMessageContaining("check the endpoint and the network");
            assertThat(Duration.ofNanos(System.nanoTime() - startNs)).isLessThan(Duration.ofSeconds(20));
        }
    }

    @Test
    void urlsAndEndpointsThatMakeNoSenseAreExplained() {
        assertThatThrownBy(() -> ObjectStores.open("s3://", Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("s3://bucket/prefix");
        assertThatThrownBy(() -> ObjectStores.open("s3://b", Optional.of("localhost"), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("http://host:port");
    }
}
