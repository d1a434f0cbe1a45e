// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.aws.Ec2Form;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.control.cloud.Volumes.Attachment;
import dev.lifeboat.control.cloud.Volumes.Volume;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AwsVolumesTest extends AwsCase {
    private static final String TOKEN = "volume-1";
    private final long beganNs = System.nanoTime();

    private String host;
    private String other;

    /** Fifty times as fast as the tests', so that what takes seconds is over soon. */
    @Override
    InstantSource clock() {
        return () -> START.plusNanos(50 * (System.nanoTime() - beganNs));
    }

    @BeforeEach
    void addHosts() {
        host = fake.addInstance("m8i.large", ZONE_A, "10.0.1.10", Map.of()).id();
        other = fake.addInstance("m8i.large", ZONE_A, "10.0.1.11", Map.of()).id();
    }

    private Volumes volumes() {
        return cloud.volumes();
    }

    private Volume create() {
        return volumes().create(TOKEN, FLEET, 20, ZONE_A, false);
    }

    @Test
    void aVolumeIsAskedForFieldByFieldAndOnlyOnce() {
        fake.failNext(calling("CreateVolume"), Fault.lostAnswer());

        Volume made = create();

        assertThat(create().id()).isEqualTo(made.id());
        assertThat(volumes().all(FLEET)).containsExactly(made);
        assertThat(made).isEqualTo(new Volume(made.id(), ZONE_A, 20, false, List.of(), Optional.of(FLEET)));
        Ec2Form sent = fake.forms("CreateVolume").get(0);
        assertThat(sent.fields())
                .containsEntry("ClientToken", TOKEN)
                .containsEntry("AvailabilityZone", ZONE_A)
                .containsEntry("Size", "20")
                .containsEntry("VolumeType", "gp3")
                .containsEntry("Iops", "3000")
                .containsEntry("Encrypted", "true")
                .containsEntry("TagSpecification.1.ResourceType", "volume")
                .doesNotContainKey("MultiAttachEnabled");
    }

    @Test
    void anAttachmentIsThereWhenTheCallReturnsAndIsKnownByItsSerial() {
        fake.volumesTake(Duration.ofSeconds(10), Duration.ofSeconds(5));
        Volume volume = create();

        Attachment attachment = volumes().attach(volume.id(), host);

        assertThat(attachment)
                .isEqualTo(new Attachment(volume.id(), host, volume.id().replace("-", ""), -1));
        assertThat(volumes().attach(volume.id(), host)).isEqualTo(attachment);
        assertThat(fake.forms("AttachVolume")).hasSize(1);
        assertThat(volumes().describe(volume.id()).attachedTo()).containsExactly(host);
        volumes().detach(volume.id(), host, false);
        volumes().detach(volume.id(), host, false);
        assertThat(fake.forms("DetachVolume")).hasSize(1);
        assertThat(volumes().describe(volume.id()).attachedTo()).isEmpty();
    }

    @Test
    void twoVolumesOfOneHostHaveTwoDeviceNames() {
        volumes().attach(create().id(), host);
        volumes().attach(volumes().create("volume-2", FLEET, 8, ZONE_A, false).id(), host);

        assertThat(fake.forms("AttachVolume"))
                .extracting(form -> form.get("Device").orElse(""))
                .containsExactly("/dev/sdf", "/dev/sdg");
    }

    @Test
    void whatAnotherHostHasIsRefusedAndNamed() {
        Volume volume = create();
        volumes().attach(volume.id(), host);

        CloudException refusal = refusal(() -> volumes().attach(volume.id(), other));

        assertThat(refusal.kind()).isEqualTo(Kind.INVALID);
        assertThat(refusal.getMessage()).contains(host, "Detach it there first");
    }

    @Test
    void aSharedVolumeIsOnTwoHosts() {
        Volume shared = volumes().create(TOKEN, FLEET, 20, ZONE_A, true);
        volumes().attach(shared.id(), host);
        volumes().attach(shared.id(), other);

        assertThat(volumes().describe(shared.id()).attachedTo()).containsExactlyInAnyOrder(host, other);
        assertThat(fake.forms("CreateVolume").get(0).fields())
                .containsEntry("VolumeType", "io2")
                .containsEntry("MultiAttachEnabled", "true");
    }

    @Test
    void anAttachmentThatIsStuckEndsAtTheLimitWithAdvice() {
        fake.volumesTake(Duration.ofDays(1), Duration.ZERO);
        Volume volume = create();
        try (AwsCloud hasty = open(Map.of(), Duration.ofSeconds(6), Duration.ofSeconds(1))) {
            CloudException refusal = refusal(() -> hasty.volumes().attach(volume.id(), host));

            assertThat(refusal.kind()).isEqualTo(Kind.UNAVAILABLE);
            assertThat(refusal.getMessage()).contains("stuck in attaching", "detach it with force");
        }
        volumes().detach(volume.id(), host, true);
        assertThat(volumes().describe(volume.id()).attachedTo()).isEmpty();
    }

    @Test
    void aHostThatHoldsOnLosesTheVolumeByForce() {
        fake.volumesTake(Duration.ZERO, Duration.ofDays(1));
        Volume volume = create();
        volumes().attach(volume.id(), host);
        try (AwsCloud hasty = open(Map.of(), Duration.ofSeconds(6), Duration.ofSeconds(1))) {
            assertThat(refusal(() -> hasty.volumes().detach(volume.id(), host, false))
                            .getMessage())
                    .contains("unmount it there, or detach it with force");
        }
        volumes().detach(volume.id(), host, true);
        assertThat(volumes().attach(volume.id(), other).instanceId()).isEqualTo(other);
    }

    @Test
    void onlyAFreeVolumeOfAFleetIsDeleted() {
        Volume volume = create();
        volumes().attach(volume.id(), host);

        assertThat(refusal(() -> volumes().delete(volume.id())).getMessage()).contains(host, "detach it first");
        volumes().detach(volume.id(), host, false);
        volumes().delete(volume.id());
        assertThat(refusal(() -> volumes().describe(volume.id())).kind()).isEqualTo(Kind.NOT_FOUND);
    }
}
