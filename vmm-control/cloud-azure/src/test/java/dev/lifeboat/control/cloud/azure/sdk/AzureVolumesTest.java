// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.azure.AzureFake;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.Volumes.Attachment;
import dev.lifeboat.control.cloud.Volumes.Volume;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AzureVolumesTest extends AzureTest {
    private static final Predicate<FakeRequest> PUT_DISK =
            request -> request.method().equals("PUT") && request.path().contains("/disks/");
    private static final Predicate<FakeRequest> ATTACH_DETACH =
            request -> request.path().endsWith("/attachDetachDataDisks");

    @BeforeEach
    void twoHosts() {
        fake.operationsTake(Duration.ofSeconds(5));
        fake.addInstance("a", "Standard_D4s_v5", "1", true, "10.0.0.4", Map.of("lifeboat-fleet", FLEET));
        fake.addInstance("b", "Standard_D4s_v5", "1", true, "10.0.0.5", Map.of("lifeboat-fleet", FLEET));
    }

    @Test
    void aDiskIsAskedForAsPublishedAndOnlyOncePerToken() throws IOException {
        Volume made = cloud.volumes().create("v-1", FLEET, 256, "1", true);

        assertThat(made).isEqualTo(new Volume("lb-v-1", "1", 256, true, List.of(), Optional.of(FLEET)));
        FakeRequest put = fake.requests(PUT_DISK).get(0);
        assertThat(put.uri().getQuery()).matches("api-version=20\\d\\d-\\d\\d-\\d\\d");
        assertThat(json(put)).isEqualTo(json("""
                        {'location':'westeurope','zones':['1'],'sku':{'name':'Premium_LRS'},
                         'tags':{'lifeboat-fleet':'blue','lifeboat-token':'v-1'},
                         'properties':{'creationData':{'createOption':'Empty'},'diskSizeGB':256,'maxShares':2}}"""));
        assertThat(cloud.volumes().create("v-1", FLEET, 256, "1", true)).isEqualTo(made);
        assertThat(fake.requests(PUT_DISK)).hasSize(1);
        assertThat(cloud.volumes().all(FLEET)).containsExactly(made);
        assertThat(cloud.volumes().all("red")).isEmpty();
    }

    @Test
    void aDiskWhoseAnswerIsLostIsMadeOnce() {
        fake.failNext(PUT_DISK, Fault.lostAnswer());

        cloud.volumes().create("v-1", FLEET, 64, "1", false);

        assertThat(cloud.volumes().all(FLEET)).hasSize(1);
    }

    @Test
    void aTokenThatMadeAnotherDiskIsRefused() {
        cloud.volumes().create("v-1", FLEET, 64, "1", false);

        assertThatThrownBy(() -> cloud.volumes().create("v-1", FLEET, 128, "1", false))
                .hasMessageContainingAll("64 GiB", "use another token");
    }

    @Test
    void anAttachedDiskIsKnownByItsNumberAndAttachingItAgainChangesNothing() throws IOException {
        cloud.volumes().create("v-1", FLEET, 64, "1", false);
        cloud.volumes().create("v-2", FLEET, 64, "1", false);

        assertThat(cloud.volumes().attach("lb-v-1", "a")).isEqualTo(new Attachment("lb-v-1", "a", "", 0));
        assertThat(cloud.volumes().attach("lb-v-2", "a")).isEqualTo(new Attachment("lb-v-2", "a", "", 1));
        assertThat(cloud.volumes().attach("lb-v-1", "a").lun()).isZero();

        assertThat(fake.requests(ATTACH_DETACH)).hasSize(2);
        assertThat(json(fake.requests(ATTACH_DETACH).get(0)))
                .isEqualTo(
                        json(
                                "{'dataDisksToAttach':[{'diskId':'/subscriptions/" + AzureFake.SUBSCRIPTION
                                        + "/resourceGroups/lifeboat/providers/Microsoft.Compute/disks/lb-v-1','lun':0,'caching':'None'}]}"));
        assertThat(cloud.volumes().describe("lb-v-1").attachedTo()).containsExactly("a");
    }

    @Test
    void aDiskGoesFromHostToHostAndNeverToBothUnlessItIsShared() {
        cloud.volumes().create("v-1", FLEET, 64, "1", false);
        cloud.volumes().attach("lb-v-1", "a");

        assertThatThrownBy(() -> cloud.volumes().attach("lb-v-1", "b"))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.INVALID))
                .hasMessageContaining("a has it");
        cloud.volumes().detach("lb-v-1", "a", false);
        cloud.volumes().detach("lb-v-1", "a", false);
        cloud.volumes().attach("lb-v-1", "b");
        assertThat(cloud.volumes().describe("lb-v-1").attachedTo()).containsExactly("b");

        cloud.volumes().create("v-2", FLEET, 256, "1", true);
        cloud.volumes().attach("lb-v-2", "a");
        cloud.volumes().attach("lb-v-2", "b");
        assertThat(cloud.volumes().describe("lb-v-2").attachedTo()).containsExactly("a", "b");
    }

    @Test
    void aLostAnswerToAnAttachmentLeavesOneAttachment() {
        cloud.volumes().create("v-1", FLEET, 64, "1", false);
        fake.failNext(ATTACH_DETACH, Fault.lostAnswer());

        assertThat(cloud.volumes().attach("lb-v-1", "a").lun()).isZero();
        assertThat(fake.resource("a").at("/properties/storageProfile/dataDisks"))
                .hasSize(1);
    }

    @Test
    void aStuckDetachmentIsUnclearAfterTheLimitAndForceEndsIt() throws IOException {
        cloud.volumes().create("v-1", FLEET, 64, "1", false);
        cloud.volumes().attach("lb-v-1", "a");
        fake.stickDisk("lb-v-1");
        cloud = open(Duration.ofSeconds(20), "operationLimitSeconds", "2");

        assertThatThrownBy(() -> cloud.volumes().detach("lb-v-1", "a", false))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.UNCLEAR));
        assertThat(cloud.volumes().describe("lb-v-1").attachedTo()).containsExactly("a");

        cloud = open(Duration.ofSeconds(20));
        cloud.volumes().detach("lb-v-1", "a", true);
        assertThat(cloud.volumes().describe("lb-v-1").attachedTo()).isEmpty();
        List<FakeRequest> calls = fake.requests(ATTACH_DETACH);
        assertThat(json(calls.get(calls.size() - 1))
                        .at("/dataDisksToDetach/0/detachOption")
                        .asText())
                .isEqualTo("ForceDetach");
    }

    @Test
    void onlyTheFleetsOwnFreeDisksAreDeleted() {
        fake.addDisk("theirs", 64, Map.of());
        cloud.volumes().create("v-1", FLEET, 64, "1", false);
        cloud.volumes().attach("lb-v-1", "a");

        assertThatThrownBy(() -> cloud.volumes().delete("theirs")).hasMessageContaining("somebody else");
        assertThatThrownBy(() -> cloud.volumes().delete("lb-v-1")).hasMessageContaining("detach it first");
        cloud.volumes().detach("lb-v-1", "a", false);
        cloud.volumes().delete("lb-v-1");
        cloud.volumes().delete("lb-v-1");
        assertThat(cloud.volumes().all(FLEET)).isEmpty();
        assertThat(cloud.volumes().describe("theirs").fleet()).isEmpty();
    }

    @Test
    void aHostThatIsGoneHasNothingToDetach() {
        cloud.volumes().create("v-1", FLEET, 64, "1", false);
        cloud.volumes().attach("lb-v-1", "a");
        fake.evict("a");

        cloud.volumes().detach("lb-v-1", "a", true);
        assertThat(cloud.volumes().describe("lb-v-1").attachedTo()).isEmpty();
        assertThatThrownBy(() -> cloud.volumes().attach("lb-v-1", "a"))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.NOT_FOUND));
    }
}
