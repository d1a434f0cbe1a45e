// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.azure.AzureFake;
import dev.lifeboat.cloudfakes.azure.FakeInstance;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.TargetMarket.Instance;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.TargetWish;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AzureMarketTest extends AzureTest {
    private static final FakeAnswer SERVER_ERROR =
            FakeAnswer.json(500, "{\"error\":{\"code\":\"InternalServerError\",\"message\":\"sorry\"}}");

    @Test
    void aSpotHostIsAskedForInOneRequestTogetherWithItsInterfaceAndDisk() throws IOException {
        Instance host = cloud.market().acquire(purchase("t-1", SPOT_V5));

        FakeRequest put = fake.requests(PUT_HOST).get(0);
        assertThat(put.path())
                .isEqualTo("/subscriptions/" + AzureFake.SUBSCRIPTION
                        + "/resourceGroups/lifeboat/providers/Microsoft.Compute/virtualMachines/lb-t-1");
        assertThat(put.uri().getQuery()).isEqualTo("api-version=2025-04-01");
        assertThat(put.header("If-None-Match")).contains("*");
        ObjectNode wanted = (ObjectNode) json("""
                {'location':'westeurope','zones':['1'],
                 'tags':{'lifeboat-fleet':'blue','lifeboat-token':'t-1'},
                 'properties':{
                  'hardwareProfile':{'vmSize':'Standard_D4s_v5'},
                  'priority':'Spot','evictionPolicy':'Delete','billingProfile':{'maxPrice':-1.0},
                  'storageProfile':{
                   'imageReference':{'publisher':'Debian','offer':'debian-12','sku':'12-gen2','version':'latest'},
                   'osDisk':{'createOption':'FromImage','deleteOption':'Delete'}},
                  'osProfile':{'computerName':'lb-t-1','adminUsername':'lifeboat',
                   'customData':'IyEvYmluL3NoCmVjaG8gYm9vdHMK',
                   'linuxConfiguration':{'disablePasswordAuthentication':true,'ssh':{'publicKeys':[
                    {'path':'/home/lifeboat/.ssh/authorized_keys','keyData':'ssh-ed25519 AAAA'}]}}},
                  'networkProfile':{'networkApiVersion':'2022-11-01','networkInterfaceConfigurations':[
                   {'name':'lb-t-1','tags':{'lifeboat-fleet':'blue','lifeboat-token':'t-1'},
                    'properties':{'primary':true,'deleteOption':'Delete','enableIPForwarding':true,
                     'ipConfigurations':[{'name':'ipconfig1','properties':{'primary':true,'subnet':{'id':'SUBNET'}}}]
                    }}]}}}""".replace("SUBNET", AzureFake.SUBNET));
        assertThat(json(put)).isEqualTo(wanted);
        assertThat(host)
                .isEqualTo(new Instance(
                        "lb-t-1", "Standard_D4s_v5", "1", PriceClass.SPOT, Instance.State.RUNNING, "10.0.0.10", "t-1"));
    }

    @Test
    void aRegularHostHasNoWordOfEvictionInItsRequest() throws IOException {
        cloud.market().acquire(purchase("t-1", REGULAR_V5));

        assertThat(json(fake.requests(PUT_HOST).get(0)).get("properties").has("evictionPolicy"))
                .isFalse();
        assertThat(fake.instances()).extracting(FakeInstance::spot).containsExactly(false);
    }

    @Test
    void aHostIsReturnedAsSoonAsItRunsAndNotOnlyWhenAzureCallsItProvisioned() {
        fake.launchTakes(Duration.ofSeconds(15), Duration.ofDays(1));
        List<FakeInstance> launched = new CopyOnWriteArrayList<>();
        fake.onLaunch(launched::add);

        Instance host = cloud.market().acquire(purchase("t-1", SPOT_V5));

        assertThat(host.state()).isEqualTo(Instance.State.RUNNING);
        assertThat(launched).hasSize(1);
        assertThat(launched.get(0).userData()).isEqualTo("#!/bin/sh\necho boots\n");
        assertThat(launched.get(0).tags()).containsEntry("lifeboat-fleet", "blue");
    }

    @Test
    void theSameTokenNeverBuysTwiceEvenWithOtherOffersAfterARestart() {
        Instance first = cloud.market().acquire(purchase("t-1", SPOT_V5));
        Cloud restarted = open(Duration.ofSeconds(20));

        assertThat(restarted.market().acquire(purchase("t-1", SPOT_V4, REGULAR_V5)))
                .isEqualTo(first);
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aLostAnswerDoesNotBuyTwice() {
        fake.failNext(PUT_HOST, Fault.lostAnswer());

        Instance host = cloud.market().acquire(purchase("t-1", SPOT_V5));

        assertThat(host.state()).isEqualTo(Instance.State.RUNNING);
        assertThat(fake.instances()).extracting(FakeInstance::id).containsExactly("lb-t-1");
    }

    @Test
    void aPurchaseWhoseEveryAnswerIsLostIsFoundByItsToken() {
        for (int i = 0; i < 4; i++) {
            fake.failNext(PUT_HOST, Fault.lostAnswer());
        }

        Instance host = cloud.market().acquire(purchase("t-1", SPOT_V5));

        assertThat(cloud.market().bought("t-1")).contains(host);
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aRequestThatNeverArrivedIsMadeAgain() {
        fake.failNext(PUT_HOST, Fault.lostRequest());

        cloud.market().acquire(purchase("t-1", SPOT_V5));

        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void anAnswerThatHangsOrIsCutInItsMiddleOrIsAnErrorDelaysAPurchaseAndNoMore() {
        cloud = open(Duration.ofSeconds(12));
        // First what takes no effect: after the others the host is there, and is found.
        fake.failNext(PUT_HOST, Fault.status(SERVER_ERROR));
        fake.failNext(PUT_HOST, Fault.slow(Duration.ofSeconds(5)));
        fake.failNext(PUT_HOST, Fault.halfAnswer(FakeAnswer.json(201, "{\"id\":\"/subscriptions/and-so-on\"}")));

        cloud.market().acquire(purchase("t-1", SPOT_V5));

        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aMachineThatCannotBeReadYetIsWaitedFor() {
        fake.newInstancesAreInvisibleFor(Duration.ofSeconds(30));

        assertThat(cloud.market().acquire(purchase("t-1", SPOT_V5)).state()).isEqualTo(Instance.State.RUNNING);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "SkuNotAvailable",
                "AllocationFailed",
                "ZonalAllocationFailed",
                "OverconstrainedAllocationRequest",
                "OverconstrainedZonalAllocationRequest"
            })
    void aSizeWithoutCapacityGivesWayToTheNextAndLeavesNothingBehind(String code) {
        fake.launchTakes(Duration.ofSeconds(10), Duration.ofSeconds(10));
        fake.operationsTake(Duration.ofSeconds(5));
        fake.noCapacity("Standard_D4s_v5", true, code);

        Instance host = cloud.market().acquire(purchase("t-1", SPOT_V5, SPOT_V4));

        assertThat(host.size()).isEqualTo("Standard_D4s_v4");
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void capacityThatIsNowhereIsSaidWithEachSize() {
        fake.noCapacity("Standard_D4s_v5", true, "AllocationFailed");
        fake.noCapacity("Standard_D4s_v4", true, "SkuNotAvailable");

        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-1", SPOT_V5, SPOT_V4)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.CAPACITY))
                .hasMessageContainingAll("Standard_D4s_v5", "AllocationFailed", "Standard_D4s_v4", "SkuNotAvailable");
        assertThat(fake.instances()).isEmpty();
        assertThat(cloud.market().bought("t-1")).isEmpty();
    }

    @Test
    void spotQuotaThatIsUsedUpLeavesRegularHostsToBuy() {
        fake.quota(0, 100);

        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-1", SPOT_V5)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.QUOTA))
                .hasMessageContaining("Usage + quotas");
        assertThat(cloud.market().acquire(purchase("t-2", REGULAR_V5)).priceClass())
                .isEqualTo(PriceClass.ON_DEMAND);
    }

    @Test
    void aMachineThatAnEarlierProcessLeftFailedIsReplaced() {
        fake.noCapacity("Standard_D4s_v5", true, "AllocationFailed");
        // The process dies between the failure and the deletion: here the deletion is refused.
        fake.deny("Microsoft.Compute/virtualMachines/delete");
        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-1", SPOT_V5)))
                .hasMessageContaining("Microsoft.Compute/virtualMachines/delete");
        assertThat(cloud.market().bought("t-1")).isEmpty();
        assertThat(cloud.market().all(FLEET)).extracting(Instance::state).containsExactly(Instance.State.STOPPED);
        fake.allow("Microsoft.Compute/virtualMachines/delete");

        assertThat(cloud.market().acquire(purchase("t-1", SPOT_V4)).size()).isEqualTo("Standard_D4s_v4");
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aMachineOfSomebodyElseUnderTheSameNameIsNotTaken() {
        fake.addInstance("lb-t-1", "Standard_D4s_v5", "1", true, "10.0.0.77", Map.of());

        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-1", SPOT_V5)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.INVALID))
                .hasMessageContaining("somebody else made it");
        assertThat(cloud.market().bought("t-1")).isEmpty();
    }

    @Test
    void throttlingIsWaitedForWhenItIsShortAndToldAtOnceWhenItIsLong() {
        fake.failNext(PUT_HOST, throttled("1"));
        cloud.market().acquire(purchase("t-1", SPOT_V5));
        assertThat(fake.instances()).hasSize(1);

        fake.failNext(PUT_HOST, throttled("300"));
        long startNs = System.nanoTime();
        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-2", SPOT_V5)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.THROTTLED));
        assertThat(Duration.ofNanos(System.nanoTime() - startNs)).isLessThan(Duration.ofSeconds(20));
    }

    private static Fault throttled(String seconds) {
        return Fault.status(new FakeAnswer(
                429,
                Map.of("Content-Type", "application/json", "Retry-After", seconds),
                "{\"error\":{\"code\":\"TooManyRequests\",\"message\":\"slow down\"}}"));
    }

    @Test
    void aMissingPermissionIsNamed() {
        fake.deny("Microsoft.Compute/virtualMachines/write");

        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-1", SPOT_V5, SPOT_V4)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.DENIED))
                .hasMessageContaining("it needs Microsoft.Compute/virtualMachines/write")
                .hasMessageNotContaining("\n");
        assertThat(fake.requests(PUT_HOST)).hasSize(1);
    }

    @Test
    void aServiceThatIsNotThereIsUnavailableAndNotUnclear() {
        Cloud nowhere = open(Duration.ofSeconds(5));
        fake.close();

        assertThatThrownBy(() -> nowhere.market().acquire(purchase("t-1", SPOT_V5)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.UNAVAILABLE));
    }

    @Test
    void onlyTheFleetsOwnInstancesAreListedAndReleasingTwiceIsNothing() {
        fake.addInstance("other", "Standard_D4s_v5", "1", true, "10.0.0.77", Map.of("lifeboat-fleet", "red"));
        fake.addInstance("old", "Standard_D4s_v5", "2", false, "10.0.0.78", Map.of("lifeboat-fleet", FLEET));
        List<String> ended = new ArrayList<>();
        fake.onTerminate(instance -> ended.add(instance.id()));

        Instance bought = cloud.market().acquire(purchase("t-1", SPOT_V5));
        assertThat(cloud.market().all(FLEET)).extracting(Instance::id).containsExactly("old", "lb-t-1");

        cloud.market().release(bought.id());
        cloud.market().release(bought.id());
        assertThat(cloud.market().all(FLEET)).extracting(Instance::id).containsExactly("old");
        assertThat(ended).containsExactly("lb-t-1");
        assertThat(fake.resource("lb-t-1").isEmpty())
                .as("its interface went too")
                .isTrue();
    }

    @Test
    void aPooledHostIsStoppedAndStarted() {
        fake.operationsTake(Duration.ofSeconds(5));
        Instance host = cloud.market().acquire(purchase("t-1", REGULAR_V5));

        cloud.market().stop(host.id());
        assertThat(cloud.market().describe(host.id()).state()).isEqualTo(Instance.State.STOPPED);
        cloud.market().start(host.id());
        assertThat(cloud.market().describe(host.id()).state()).isEqualTo(Instance.State.RUNNING);
    }

    @Test
    void aRehearsedEvictionTakesTheHostAway() {
        Instance host = cloud.market().acquire(purchase("t-1", SPOT_V5));

        cloud.rehearse(host.id());

        assertThat(fake.requests(request -> request.path().endsWith("/lb-t-1/simulateEviction")))
                .extracting(FakeRequest::method)
                .containsExactly("POST");
        assertThatThrownBy(() -> cloud.market().describe(host.id()))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.NOT_FOUND));
    }

    @Test
    void offersAreSizesThatNestAndTheLikelySpotOnesAreFirst() {
        List<Offer> offers = cloud.market().offers(new TargetWish(4, 16_384, "any", Optional.of("2")));

        assertThat(offers)
                .extracting(Offer::size)
                .doesNotContain(
                        "Standard_D4as_v5",
                        "Standard_D4ps_v5",
                        "Standard_DC4as_v5",
                        "Standard_B2ms",
                        "Standard_D4ds_v5");
        assertThat(offers.get(0)).isEqualTo(new Offer("Standard_D4s_v5", "2", PriceClass.SPOT, 9, 0));
        assertThat(offers).extracting(Offer::zone).containsOnly("2");
        assertThat(offers.stream().map(Offer::priceClass).toList()).isSorted();
        assertThat(cloud.market().offers(new TargetWish(4, 16_384, "x86-64-v4", Optional.empty())))
                .extracting(Offer::size)
                .isNotEmpty()
                .noneMatch(size -> size.endsWith("_v3"));
    }

    @Test
    void offersDoWithoutScoresWhenTheirPermissionIsMissing() {
        fake.deny("Microsoft.Compute/locations/placementScores/generate/action");

        assertThat(cloud.market().offers(new TargetWish(4, 16_384, "any", Optional.of("2"))))
                .isNotEmpty()
                .extracting(Offer::score)
                .containsOnly(0);
    }
}
