// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.google.GoogleTiming;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.Volumes.Attachment;
import dev.lifeboat.control.cloud.Volumes.Volume;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GoogleVolumesTest extends GoogleBench {
    private static final String A = ZONE + "/host-a";
    private static final String B = ZONE + "/host-b";

    @BeforeEach
    void hosts() {
        fake.addInstance(ZONE, "host-a", "10.0.0.2", Map.of());
        fake.addInstance(ZONE, "host-b", "10.0.0.3", Map.of());
    }

    @Test
    void aVolumeIsMadeOnceWhateverBecomesOfTheAnswer() throws Exception {
        fake.withTiming(GoogleTiming.real());
        fake.failNext(r -> r.method().equals("POST") && r.path().endsWith("/disks"), Fault.lostAnswer());

        Volume made = cloud.volumes().create("v-1", "fleet-1", 100, ZONE, false);

        assertThat(cloud.volumes().create("v-1", "fleet-1", 100, ZONE, false)).isEqualTo(made);
        assertThat(cloud.volumes().all("fleet-1")).containsExactly(made);
        FakeRequest insert = fake.requests(
                        r -> r.method().equals("POST") && r.path().endsWith("/disks"))
                .get(0);
        JsonNode body = new ObjectMapper().readTree(insert.body());
        assertThat(body).isEqualTo(new ObjectMapper().readTree("""
                {"name":"lifeboat-v-1","sizeGb":"100","type":"zones/europe-west3-a/diskTypes/pd-balanced",
                 "labels":{"lifeboat-fleet":"fleet-1","lifeboat-token":"v-1"}}"""));
    }

    @Test
    void aVolumeMovesFromHostToHostAndIsKnownByItsSerial() throws Exception {
        fake.withTiming(GoogleTiming.real());
        Volume volume = cloud.volumes().create("v-1", "fleet-1", 100, ZONE, false);

        Attachment attached = cloud.volumes().attach(volume.id(), A);
        assertThat(attached).isEqualTo(new Attachment(volume.id(), A, "google-lifeboat-v-1", -1));
        assertThat(cloud.volumes().attach(volume.id(), A)).isEqualTo(attached);
        assertKind(() -> cloud.volumes().attach(volume.id(), B), Kind.INVALID, A);
        assertKind(() -> cloud.volumes().delete(volume.id()), Kind.INVALID, A);
        cloud.volumes().detach(volume.id(), B, true);
        assertThat(cloud.volumes().describe(volume.id()).attachedTo()).containsExactly(A);
        cloud.volumes().detach(volume.id(), A, true);
        assertThat(cloud.volumes().attach(volume.id(), B).instanceId()).isEqualTo(B);

        FakeRequest attach =
                fake.requests(r -> r.path().endsWith("host-a/attachDisk")).get(0);
        assertThat(new ObjectMapper().readTree(attach.body())).isEqualTo(new ObjectMapper().readTree("""
                {"source":"projects/proj/zones/europe-west3-a/disks/lifeboat-v-1","deviceName":"lifeboat-v-1",
                 "mode":"READ_WRITE","autoDelete":false}"""));
    }

    @Test
    void aSharedVolumeIsAHyperdiskThatTwoHostsHave() {
        Volume volume = cloud.volumes().create("v-1", "fleet-1", 100, ZONE, true);
        cloud.volumes().attach(volume.id(), A);
        cloud.volumes().attach(volume.id(), B);
        assertThat(cloud.volumes().describe(volume.id()).attachedTo()).containsExactly(A, B);
        assertThat(volume.multiAttach()).isTrue();
    }

    @Test
    void anAttachmentThatIsStuckIsUnclearAtTheLimit() {
        Volume volume = cloud.volumes().create("v-1", "fleet-1", 100, ZONE, false);
        fake.stick("lifeboat-v-1");
        try (Cloud hasty = open(Duration.ofMillis(1500))) {
            assertKind(() -> hasty.volumes().attach(volume.id(), A), Kind.UNCLEAR, "operation-");
        }
    }

    @Test
    void onlyAVolumeOfAFleetIsDeleted() {
        Volume volume = cloud.volumes().create("v-1", "fleet-1", 100, ZONE, false);
        cloud.volumes().delete(volume.id());
        cloud.volumes().delete(volume.id());
        assertThat(cloud.volumes().all("fleet-1")).isEmpty();
    }

    private static void assertKind(
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Kind kind, String inMessage) {
        assertThatThrownBy(call)
                .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.throwable(CloudException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind))
                .satisfies(e -> assertThat(e.getMessage()).contains(inMessage));
    }
}
