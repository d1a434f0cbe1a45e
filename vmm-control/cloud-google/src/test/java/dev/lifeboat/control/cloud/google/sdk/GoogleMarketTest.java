// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.google.FakeGoogle;
import dev.lifeboat.cloudfakes.google.GoogleInstance;
import dev.lifeboat.cloudfakes.google.GoogleTiming;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket.Instance;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import dev.lifeboat.control.cloud.TargetMarket.TargetWish;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

class GoogleMarketTest extends GoogleBench {
    private static final Predicate<FakeRequest> INSERT =
            r -> r.method().equals("POST") && r.path().endsWith("/instances");
    private static final Predicate<FakeRequest> LIST = r -> r.path().endsWith("/aggregated/instances");
    private static final Offer SPOT = new Offer("n2-standard-4", ZONE, PriceClass.SPOT, 0, 0);
    private static final Offer SPOT_ELSEWHERE = new Offer("n2-standard-4", OTHER_ZONE, PriceClass.SPOT, 0, 0);
    private static final Offer ON_DEMAND = new Offer("n2-standard-4", ZONE, PriceClass.ON_DEMAND, 0, 0);

    private static Purchase purchase(String token, Offer... offers) {
        return new Purchase(token, "fleet-1", List.of(offers), "#!/bin/sh\necho hello\n");
    }

    @Test
    void aSpotHostIsAskedForWithTwoMinutesOfNoticeAndAllElseThatAHostNeeds() throws Exception {
        cloud.market().acquire(purchase("t-1", SPOT));

        FakeRequest insert = fake.requests(INSERT).get(0);
        assertThat(insert.path()).isEqualTo("/compute/v1/projects/proj/zones/europe-west3-a/instances");
        assertThat(insert.uri().getQuery()).matches("requestId=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
        assertThat(insert.header("authorization")).contains("Bearer test");
        JsonNode expected = new ObjectMapper().readTree("""
                {"name":"lifeboat-t-1","machineType":"zones/europe-west3-a/machineTypes/n2-standard-4",
                 "canIpForward":true,"labels":{"lifeboat-fleet":"fleet-1","lifeboat-token":"t-1"},
                 "minCpuPlatform":"Intel Ice Lake","advancedMachineFeatures":{"enableNestedVirtualization":true},
                 "disks":[{"boot":true,"autoDelete":true,"initializeParams":{
                   "sourceImage":"projects/debian-cloud/global/images/family/debian-12","diskSizeGb":"20"}}],
                 "networkInterfaces":[{"subnetwork":"regions/europe-west3/subnetworks/default"}],
                 "metadata":{"items":[{"key":"startup-script","value":"#!/bin/sh\\necho hello\\n"}]},
                 "serviceAccounts":[{"email":"hosts@proj.iam.gserviceaccount.com",
                   "scopes":["https://www.googleapis.com/auth/cloud-platform"]}],
                 "scheduling":{"provisioningModel":"SPOT","instanceTerminationAction":"DELETE",
                   "onHostMaintenance":"TERMINATE","automaticRestart":false,
                   "preemptionNoticeDuration":{"seconds":120}}}""");
        assertThat(new ObjectMapper().readTree(insert.body())).isEqualTo(expected);
    }

    @Test
    void aStandardHostIsAskedForWithoutNotice() throws Exception {
        Instance bought = cloud.market().acquire(purchase("t-1", ON_DEMAND));

        JsonNode body = new ObjectMapper().readTree(fake.requests(INSERT).get(0).body());
        assertThat(body.path("scheduling").toString()).isEqualTo("{\"provisioningModel\":\"STANDARD\"}");
        assertThat(bought.priceClass()).isEqualTo(PriceClass.ON_DEMAND);
    }

    @Test
    void aHostIsReturnedWhenItsHardwareIsThereAndRunsLater() {
        fake.withTiming(GoogleTiming.real());
        List<GoogleInstance> launched = new ArrayList<>();
        fake.onLaunch(launched::add);

        Instance bought = cloud.market().acquire(purchase("t-1", SPOT));

        assertThat(bought.id()).isEqualTo("europe-west3-a/lifeboat-t-1");
        assertThat(bought.state()).isEqualTo(Instance.State.PENDING);
        assertThat(bought.address()).startsWith("10.0.0.");
        assertThat(bought.token()).isEqualTo("t-1");
        assertThat(launched).singleElement().satisfies(i -> {
            assertThat(i.userData()).contains("echo hello");
            assertThat(i.labels()).containsEntry("lifeboat-fleet", "fleet-1");
            assertThat(i.spot()).isTrue();
        });
        awaitState(bought.id(), Instance.State.RUNNING);
    }

    private void awaitState(String id, Instance.State wanted) {
        long limitNs = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (cloud.market().describe(id).state() != wanted) {
            assertThat(System.nanoTime()).as("still not " + wanted).isLessThan(limitNs);
            Thread.onSpinWait();
        }
    }

    @Test
    void whenTheFirstZoneIsExhaustedTheNextOfferIsTaken() {
        fake.withTiming(GoogleTiming.real());
        fake.refuseInstances(
                body -> body.path("machineType").asText().contains(ZONE + "/"),
                "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
                "The zone does not have enough resources available");

        Instance bought = cloud.market().acquire(purchase("t-1", SPOT, SPOT_ELSEWHERE));

        assertThat(bought.zone()).isEqualTo(OTHER_ZONE);
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void capacityThatIsNowhereSaysSoAndLeavesNothing() {
        fake.refuseInstances(body -> true, "ZONE_RESOURCE_POOL_EXHAUSTED", "not enough resources");

        assertKind(() -> cloud.market().acquire(purchase("t-1", SPOT, SPOT_ELSEWHERE)), Kind.CAPACITY)
                .hasMessageContaining("none of 2 offers");
        assertThat(fake.instances()).isEmpty();
    }

    @Test
    void aQuotaThatIsReachedIsToldApartFromCapacity() {
        fake.refuseInstances(body -> true, "QUOTA_EXCEEDED", "Quota 'PREEMPTIBLE_CPUS' exceeded. Limit: 0.0");

        assertKind(() -> cloud.market().acquire(purchase("t-1", SPOT)), Kind.QUOTA)
                .hasMessageContaining("PREEMPTIBLE_CPUS");
    }

    private static org.assertj.core.api.AbstractThrowableAssert<?, CloudException> assertKind(
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Kind kind) {
        return assertThatThrownBy(call)
                .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.throwable(CloudException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind))
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    @Test
    void anInsertWhoseAnswerIsLostIsRepeatedAndBuysOnce() {
        fake.failNext(INSERT, Fault.lostAnswer());

        Instance bought = cloud.market().acquire(purchase("t-1", SPOT));

        List<FakeRequest> inserts = fake.requests(INSERT);
        assertThat(inserts.size()).isGreaterThanOrEqualTo(2);
        assertThat(inserts.stream().map(r -> r.uri().getQuery()).distinct()).hasSize(1);
        assertThat(fake.instances())
                .singleElement()
                .satisfies(i -> assertThat(i.id()).isEqualTo(bought.id()));
    }

    @Test
    void throttlingAndHalfAnswersAndFailuresAreSatOut() {
        fake.failNext(LIST, Fault.status(FakeGoogle.throttled()));
        fake.failNext(LIST, Fault.status(FakeGoogle.broken()));
        fake.failNext(LIST, Fault.lostRequest());
        fake.failNext(INSERT, Fault.status(FakeGoogle.throttled()));
        fake.failNext(INSERT, Fault.status(FakeGoogle.broken()));
        fake.failNext(INSERT, Fault.halfAnswer(FakeGoogle.broken()));

        cloud.market().acquire(purchase("t-1", SPOT));

        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aServiceThatStaysBrokenLeavesAnUnclearPurchaseThatTheTokenResolves() {
        for (int i = 0; i < 5; i++) {
            fake.failNext(INSERT, new Fault(Duration.ZERO, i == 0, Optional.of(FakeGoogle.broken()), false));
        }

        assertKind(() -> cloud.market().acquire(purchase("t-1", SPOT)), Kind.UNCLEAR);
        assertThat(cloud.market().bought("t-1")).isPresent();
        assertThat(cloud.market().acquire(purchase("t-1", SPOT)).id()).isEqualTo("europe-west3-a/lifeboat-t-1");
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aReadThatIsNeverAnsweredEndsWithinTheLimit() {
        try (Cloud hasty = open(Duration.ofSeconds(1))) {
            for (int i = 0; i < 2; i++) {
                fake.failNext(LIST, Fault.slow(Duration.ofSeconds(5)));
            }
            long beginNs = System.nanoTime();
            assertKind(() -> hasty.market().all("fleet-1"), Kind.UNAVAILABLE);
            assertThat(Duration.ofNanos(System.nanoTime() - beginNs)).isLessThan(Duration.ofMillis(4900));
        }
    }

    @Test
    void aRestartedControllerBuysNothingTwiceAndNotBeforeTheFirstIsVisible() throws Exception {
        fake.withTiming(new GoogleTiming(Duration.ofSeconds(30), Duration.ofSeconds(30), Duration.ofSeconds(40)));
        Thread first = new Thread(() -> cloud.market().acquire(purchase("t-1", SPOT)), "first-controller");
        first.start();
        long limitNs = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (fake.instances().isEmpty()) {
            assertThat(System.nanoTime()).isLessThan(limitNs);
            Thread.onSpinWait();
        }

        try (Cloud second = open(Duration.ofSeconds(20))) {
            Instance bought = second.market().acquire(purchase("t-1", SPOT));
            assertThat(bought.id()).isEqualTo("europe-west3-a/lifeboat-t-1");
        }
        first.join(Duration.ofSeconds(10).toMillis());
        assertThat(first.isAlive()).isFalse();
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void offersAreTheSmallestThatFitsOfFamiliesWithNestedVirtualizationSpotFirst() {
        List<Offer> offers = cloud.market().offers(new TargetWish(4, 8192, "", Optional.empty()));

        assertThat(offers.get(0)).isEqualTo(SPOT);
        assertThat(offers.get(1)).isEqualTo(SPOT_ELSEWHERE);
        assertThat(offers.stream().map(Offer::size).distinct())
                .containsExactly("n2-standard-4", "c3-standard-4", "n2-standard-8", "n1-standard-16");
        assertThat(offers.get(offers.size() / 2)).isEqualTo(ON_DEMAND);
        assertThat(cloud.market().offers(new TargetWish(8, 8192, "", Optional.of(OTHER_ZONE))))
                .extracting(Offer::zone)
                .containsOnly(OTHER_ZONE)
                .hasSize(4);
    }

    @Test
    void aProfileThatNeedsAvx2IsNotOfferedWhatMayBeOlder() {
        assertThat(cloud.market().offers(new TargetWish(4, 8192, "x86-64-v3", Optional.empty())))
                .extracting(Offer::size)
                .contains("n2-standard-4")
                .noneMatch(size -> size.startsWith("n1-"));
    }

    @Test
    void aHostStopsStartsAndGoes() {
        Instance host = cloud.market().acquire(purchase("t-1", SPOT));
        fake.addInstance(ZONE, "stranger", "10.0.0.99", Map.of());
        cloud.market().stop(host.id());
        assertThat(cloud.market().describe(host.id()).state()).isEqualTo(Instance.State.STOPPED);
        cloud.market().start(host.id());
        assertThat(cloud.market().describe(host.id()).state()).isEqualTo(Instance.State.RUNNING);
        assertThat(cloud.market().all("fleet-1")).extracting(Instance::id).containsExactly(host.id());
        cloud.market().release(host.id());
        assertThat(cloud.market().all("fleet-1")).isEmpty();
        cloud.market().release(host.id());
        assertKind(() -> cloud.market().describe(host.id()), Kind.NOT_FOUND);
    }

    @Test
    void aMissingPermissionIsNamed() {
        fake.deny("compute.instances.create");

        assertKind(() -> cloud.market().acquire(purchase("t-1", SPOT)), Kind.DENIED)
                .hasMessageContaining("compute.instances.create");
    }

    @Test
    void aSizeThatDoesNotExistIsInvalid() {
        Offer wrong = new Offer("n2-standard-5", ZONE, PriceClass.SPOT, 0, 0);
        assertKind(() -> cloud.market().acquire(purchase("t-1", wrong)), Kind.INVALID)
                .hasMessageContaining("n2-standard-5");
    }
}
