// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.aws.AwsFake;
import dev.lifeboat.cloudfakes.aws.Ec2Form;
import dev.lifeboat.cloudfakes.aws.FakeInstance;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.cloud.TargetMarket.Instance;
import dev.lifeboat.control.cloud.TargetMarket.Instance.State;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import dev.lifeboat.control.cloud.TargetMarket.TargetWish;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AwsMarketTest extends AwsCase {
    private static final String TOKEN = "4f6c1f0a-move-7";
    private static final String USER_DATA = "#!/bin/sh\necho one-time-token > /run/lifeboat\n";
    private static final Offer M8I_A = new Offer("m8i.large", ZONE_A, PriceClass.SPOT, 0, 0);
    private static final Offer C8I_B = new Offer("c8i.large", ZONE_B, PriceClass.SPOT, 0, 0);

    private TargetMarket market() {
        return cloud.market();
    }

    private static Purchase spot(String token) {
        return new Purchase(token, FLEET, List.of(M8I_A, C8I_B), USER_DATA);
    }

    private static Purchase onDemand(String token) {
        return new Purchase(
                token, FLEET, List.of(new Offer("m8i.large", ZONE_A, PriceClass.ON_DEMAND, 0, 0)), USER_DATA);
    }

    @Test
    void aFleetOfOneIsAskedForFieldByField() {
        Instance bought = market().acquire(spot(TOKEN));

        Map<String, String> expected = new TreeMap<>();
        expected.put("Action", "CreateFleet");
        expected.put("Version", "2016-11-15");
        expected.put("ClientToken", TOKEN);
        expected.put("Type", "instant");
        expected.put("SpotOptions.AllocationStrategy", "capacity-optimized-prioritized");
        expected.put("SpotOptions.InstanceInterruptionBehavior", "terminate");
        expected.put("TargetCapacitySpecification.TotalTargetCapacity", "1");
        expected.put("TargetCapacitySpecification.DefaultTargetCapacityType", "spot");
        String config = "LaunchTemplateConfigs.1.";
        expected.put(config + "LaunchTemplateSpecification.LaunchTemplateName", template());
        expected.put(config + "LaunchTemplateSpecification.Version", "1");
        expected.put(config + "Overrides.1.InstanceType", "m8i.large");
        expected.put(config + "Overrides.1.SubnetId", SUBNET_A);
        expected.put(config + "Overrides.1.Priority", "0.0");
        expected.put(config + "Overrides.2.InstanceType", "c8i.large");
        expected.put(config + "Overrides.2.SubnetId", SUBNET_B);
        expected.put(config + "Overrides.2.Priority", "1.0");
        expected.putAll(tags(1, "fleet"));
        expected.putAll(tags(2, "instance"));
        assertThat(only("CreateFleet").fields()).isEqualTo(expected);
        assertThat(bought)
                .isEqualTo(new Instance(
                        fake.instances().get(0).id(), "m8i.large", ZONE_A, PriceClass.SPOT, State.PENDING, "", TOKEN));
    }

    @Test
    void theLaunchTemplateCarriesWhatAHostOfMicroVmsNeedsFieldByField() {
        market().acquire(spot(TOKEN));

        Map<String, String> expected = new TreeMap<>();
        expected.put("Action", "CreateLaunchTemplate");
        expected.put("Version", "2016-11-15");
        expected.put("LaunchTemplateName", template());
        String data = "LaunchTemplateData.";
        expected.put(data + "ImageId", "ami-0123456789abcdef0");
        expected.put(data + "UserData", Base64.getEncoder().encodeToString(USER_DATA.getBytes(StandardCharsets.UTF_8)));
        expected.put(data + "CpuOptions.NestedVirtualization", "enabled");
        expected.put(data + "MetadataOptions.HttpTokens", "required");
        expected.put(data + "MetadataOptions.HttpPutResponseHopLimit", "1");
        expected.put(data + "InstanceInitiatedShutdownBehavior", "terminate");
        expected.put(data + "SecurityGroupId.1", "sg-0123456789abcdef0");
        expected.put(data + "IamInstanceProfile.Name", "lifeboat-host");
        tags(1, "volume").forEach((name, value) -> expected.put(data + name, value));
        expected.putAll(tags(1, "launch-template"));
        Map<String, String> sent = new TreeMap<>(only("CreateLaunchTemplate").fields());
        sent.remove("ClientToken");
        assertThat(sent).isEqualTo(expected);
        assertThat(fake.templatesLeft())
                .as("templates that hold a one-time token")
                .isZero();
    }

    @Test
    void theHostHearsItsUserDataAndCarriesItsTags() {
        List<FakeInstance> launched = new ArrayList<>();
        fake.onLaunch(launched::add);

        market().acquire(spot(TOKEN));

        assertThat(launched).hasSize(1);
        assertThat(launched.get(0).userData()).isEqualTo(USER_DATA);
        assertThat(launched.get(0).tags())
                .containsEntry("lifeboat:fleet", FLEET)
                .containsEntry("lifeboat:token", TOKEN);
    }

    @Test
    void onDemandIsAskedForByTheTargetCapacityType() {
        Instance bought = market().acquire(onDemand(TOKEN));

        assertThat(only("CreateFleet").fields())
                .containsEntry("TargetCapacitySpecification.DefaultTargetCapacityType", "on-demand")
                .containsEntry("OnDemandOptions.AllocationStrategy", "prioritized")
                .doesNotContainKey("SpotOptions.AllocationStrategy");
        assertThat(market().describe(bought.id()).priceClass()).isEqualTo(PriceClass.ON_DEMAND);
    }

    @Test
    void anAnswerThatIsLostBuysNoSecondHost() {
        fake.failNext(calling("CreateFleet"), Fault.lostAnswer());

        Instance bought = market().acquire(spot(TOKEN));

        assertThat(fake.instances()).extracting(FakeInstance::id).containsExactly(bought.id());
    }

    /** It holds the host's one-time token. */
    @Test
    void aTemplateThatAPurchaseHasLeftIsDeletedByTheSweepOnceItIsOld() {
        fake.failNext(calling("CreateFleet"), Fault.lostAnswer());
        for (int attempt = 1; attempt < AwsClients.ATTEMPTS; attempt++) {
            fake.failNext(calling("CreateFleet"), Fault.lostRequest());
        }
        market().acquire(spot(TOKEN));
        assertThat(fake.templatesLeft()).isEqualTo(1);

        now.set(START.plus(Duration.ofMinutes(30)));
        market().all(FLEET);
        assertThat(fake.templatesLeft())
                .as("of a purchase that may still go on")
                .isEqualTo(1);
        now.set(START.plus(Duration.ofMinutes(61)));
        market().all("another-fleet");
        assertThat(fake.templatesLeft()).as("of another fleet").isEqualTo(1);
        assertThat(market().all(FLEET)).hasSize(1);
        assertThat(fake.templatesLeft()).isZero();
    }

    @Test
    void anAnswerThatBreaksOffBuysNoSecondHost() {
        fake.failNext(calling("CreateFleet"), Fault.halfAnswer(AwsFake.error(500, "InternalError", "x".repeat(400))));

        market().acquire(spot(TOKEN));

        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void anOutcomeThatStaysUnclearIsFoundByItsToken() {
        fake.failNext(calling("CreateFleet"), Fault.lostAnswer());
        for (int attempt = 1; attempt < AwsClients.ATTEMPTS; attempt++) {
            fake.failNext(calling("CreateFleet"), Fault.lostRequest());
        }

        Instance bought = market().acquire(spot(TOKEN));

        assertThat(fake.instances()).extracting(FakeInstance::id).containsExactly(bought.id());
        assertThat(market().bought(TOKEN)).map(Instance::id).contains(bought.id());
    }

    @Test
    void anotherProcessThatHasTheSameTokenFindsTheHostAndBuysNone() {
        Instance bought = market().acquire(spot(TOKEN));
        try (AwsCloud restarted = open(Map.of(), Duration.ofSeconds(6))) {
            assertThat(restarted.market().acquire(spot(TOKEN)).id()).isEqualTo(bought.id());
        }
        assertThat(fake.forms("CreateFleet")).hasSize(1);
    }

    @Test
    void aTokenWhoseHostIsNotKnownYetBuysNoOtherOneWithOtherOffers() {
        fake.launchTakes(Duration.ofSeconds(10), Duration.ofSeconds(3));
        Instance bought = market().acquire(spot(TOKEN));
        Purchase changed = new Purchase(TOKEN, FLEET, List.of(C8I_B), USER_DATA);
        try (AwsCloud restarted = open(Map.of(), Duration.ofSeconds(6))) {
            Thread later = new Thread(() -> {
                awaitCalls("CreateFleet", 2);
                now.set(START.plusSeconds(5));
            });
            later.start();
            assertThat(restarted.market().acquire(changed).id()).isEqualTo(bought.id());
        }
        assertThat(fake.instances()).hasSize(1);
    }

    @Test
    void aHostIsPendingWhileEc2DoesNotKnowItAndWhileItStarts() {
        fake.launchTakes(Duration.ofSeconds(20), Duration.ofSeconds(3));
        String id = market().acquire(spot(TOKEN)).id();

        assertThat(market().describe(id).state()).isEqualTo(State.PENDING);
        assertThat(market().bought(TOKEN)).map(Instance::id).contains(id);
        now.set(START.plusSeconds(4));
        assertThat(market().describe(id).state()).isEqualTo(State.PENDING);
        now.set(START.plusSeconds(20));
        assertThat(market().describe(id).state()).isEqualTo(State.RUNNING);
        assertThat(market().describe(id).address()).startsWith("10.0.1.");
    }

    @Test
    void theNextOfferIsTakenWhenTheFirstHasNoCapacity() {
        fake.refuse("m8i.large", "InsufficientInstanceCapacity");

        Instance bought = market().acquire(spot(TOKEN));

        assertThat(bought.size()).isEqualTo("c8i.large");
        assertThat(bought.zone()).isEqualTo(ZONE_B);
    }

    @ParameterizedTest
    @CsvSource({
        "InsufficientInstanceCapacity, CAPACITY, Offer more sizes or zones",
        "UnfulfillableCapacity, CAPACITY, Offer more sizes or zones",
        "MaxSpotInstanceCountExceeded, QUOTA, Raise the quota",
        "SpotMaxPriceTooLow, QUOTA, Raise the quota",
        "VcpuLimitExceeded, QUOTA, Raise the quota",
        "RequestLimitExceeded, THROTTLED, tried again later",
        "UnauthorizedOperation, DENIED, Allow ec2:RunInstances",
        "InvalidParameterValue, INVALID, Correct the settings"
    })
    void whatTheFleetSaysOfEveryOfferDecidesTheKind(String code, Kind kind, String advice) {
        fake.refuse("*", code);

        CloudException refusal = refusal(() -> market().acquire(spot(TOKEN)));

        assertThat(refusal.kind()).isEqualTo(kind);
        assertThat(refusal.getMessage()).contains(code, advice, "m8i.large", "c8i.large");
        assertThat(fake.instances()).isEmpty();
        assertThat(fake.templatesLeft()).isZero();
    }

    @Test
    void oneWaitAndOneRepetitionEachFollowThrottlingAndFailure() {
        fake.failNext(
                calling("CreateFleet"),
                Fault.status(AwsFake.error(503, "RequestLimitExceeded", "Request limit exceeded.")));
        fake.failNext(calling("CreateFleet"), Fault.status(AwsFake.error(500, "InternalError", "An internal error")));

        market().acquire(spot(TOKEN));

        assertThat(fake.requests(calling("CreateFleet"))).hasSize(3);
        assertThat(fake.requests(calling("CreateFleet")).stream()
                        .map(request -> Ec2Form.of(request.body()).get("ClientToken")))
                .containsOnly(Optional.of(TOKEN));
    }

    @Test
    void repetitionsHaveAnEnd() {
        for (int attempt = 0; attempt < AwsClients.ATTEMPTS; attempt++) {
            fake.failNext(
                    calling("DescribeInstances"),
                    Fault.status(AwsFake.error(503, "RequestLimitExceeded", "Request limit exceeded.")));
        }

        CloudException refusal = refusal(() -> market().all(FLEET));

        assertThat(refusal.kind()).isEqualTo(Kind.THROTTLED);
        assertThat(fake.requests(calling("DescribeInstances"))).hasSize(AwsClients.ATTEMPTS);
    }

    @Test
    void aServiceThatDoesNotAnswerIsGivenUpAtTheLimit() {
        for (int attempt = 0; attempt < 2; attempt++) {
            fake.failNext(calling("DescribeInstances"), Fault.slow(Duration.ofSeconds(4)));
        }
        try (AwsCloud hasty = open(Map.of(), Duration.ofMillis(1500))) {
            long beganNs = System.nanoTime();
            CloudException refusal = refusal(() -> hasty.market().all(FLEET));

            assertThat(refusal.kind()).isEqualTo(Kind.UNAVAILABLE);
            assertThat(Duration.ofNanos(System.nanoTime() - beganNs)).isLessThan(Duration.ofMillis(3500));
        }
    }

    @Test
    void aMissingPermissionIsNamed() {
        fake.deny("CreateFleet");

        CloudException refusal = refusal(() -> market().acquire(spot(TOKEN)));

        assertThat(refusal.kind()).isEqualTo(Kind.DENIED);
        assertThat(refusal.getMessage()).contains("Allow ec2:CreateFleet", "docs/policies/aws.json");
    }

    @Test
    void offersFitNestAndAreOfferedInTheirZone() throws Exception {
        List<Offer> offers = market().offers(new TargetWish(2, 8000, "any", Optional.empty()));

        assertThat(offers).extracting(Offer::size).doesNotContain("m7i.large", "c8i.large", "m8i.8xlarge");
        assertThat(offers)
                .filteredOn(offer -> offer.size().equals("r8i.large"))
                .extracting(Offer::zone)
                .containsOnly(ZONE_A);
        int spots = (int) offers.stream()
                .filter(offer -> offer.priceClass() == PriceClass.SPOT)
                .count();
        assertThat(offers.subList(0, spots)).extracting(Offer::priceClass).containsOnly(PriceClass.SPOT);
        assertThat(offers.get(0).dollarsPerHour()).isEqualTo(0.042);
        assertThat(only("DescribeInstanceTypes").fields())
                .containsEntry("Filter.1.Name", "processor-info.supported-features")
                .containsEntry("Filter.1.Value.1", "nested-virtualization");
    }

    @Test
    void offersNearAVolumeStayInItsZone() {
        List<Offer> offers = market().offers(new TargetWish(2, 4096, "any", Optional.of(ZONE_B)));

        assertThat(offers).isNotEmpty().extracting(Offer::zone).containsOnly(ZONE_B);
    }

    @Test
    void placementScoresAreAskedForOnceInTheBackgroundAndByZoneName() throws Exception {
        try (AwsClients clients = AwsClients.open(AwsSettings.of(settings(Map.of(), Duration.ofSeconds(6))));
                PlacementScores scores = new PlacementScores(clients.ec2(), AwsFake.REGION)) {
            assertThat(scores.known(List.of())).isEmpty();
            scores.refresh(List.of("m8i.large")).get(10, TimeUnit.SECONDS);
            assertThat(scores.known(List.of("m8i.large"))).isEqualTo(Map.of(ZONE_A, 3, ZONE_B, 9));
            scores.refresh(List.of("m8i.large")).get(10, TimeUnit.SECONDS);
        }
        assertThat(fake.forms("GetSpotPlacementScores")).hasSize(1);
        assertThat(only("GetSpotPlacementScores").fields())
                .containsEntry("SingleAvailabilityZone", "true")
                .containsEntry("RegionName.1", AwsFake.REGION)
                .containsEntry("InstanceType.1", "m8i.large");
    }

    @Test
    void aReleaseCanBeRepeatedAndOfWhatIsGoneIsNoError() {
        List<FakeInstance> ended = new ArrayList<>();
        fake.onTerminate(ended::add);
        String id = market().acquire(spot(TOKEN)).id();

        market().release(id);
        market().release(id);
        market().release("i-0123456789abcdef0");

        assertThat(ended).extracting(FakeInstance::id).containsExactly(id);
        assertThat(market().all(FLEET)).isEmpty();
        assertThat(market().bought(TOKEN)).map(Instance::state).contains(State.GONE);
    }

    @Test
    void aHostThatIsNotKnownYetIsNotTakenForGone() {
        fake.launchTakes(Duration.ofSeconds(10), Duration.ofSeconds(3));
        String id = market().acquire(spot(TOKEN)).id();

        assertThat(refusal(() -> market().release(id)).kind()).isEqualTo(Kind.NOT_FOUND);
        now.set(START.plusSeconds(4));
        market().release(id);
        assertThat(fake.instances().get(0).state()).isEqualTo("terminated");
    }

    @Test
    void anOnDemandHostStopsAndStartsAndASpotHostDoesNotStop() {
        String id = market().acquire(onDemand(TOKEN)).id();
        market().stop(id);
        assertThat(market().describe(id).state()).isEqualTo(State.STOPPED);
        market().start(id);
        assertThat(market().describe(id).state()).isEqualTo(State.RUNNING);

        String spot = market().acquire(spot("another-token")).id();
        assertThat(refusal(() -> market().stop(spot)).getMessage())
                .contains("UnsupportedOperation", "on-demand hosts only");
    }

    private void awaitCalls(String action, int count) {
        long endNs = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (fake.forms(action).size() < count && System.nanoTime() - endNs < 0) {
            Thread.onSpinWait();
        }
    }

    private Ec2Form only(String action) {
        assertThat(fake.forms(action)).hasSize(1);
        return fake.forms(action).get(0);
    }

    private String template() {
        String name = fake.forms("CreateLaunchTemplate")
                .get(0)
                .get("LaunchTemplateName")
                .orElseThrow();
        assertThat(name).matches("lifeboat-" + TOKEN + "-[0-9a-f]{12}");
        return name;
    }

    private static Map<String, String> tags(int number, String type) {
        String spec = "TagSpecification." + number + ".";
        return Map.of(
                spec + "ResourceType",
                type,
                spec + "Tag.1.Key",
                "Name",
                spec + "Tag.1.Value",
                "lifeboat-" + FLEET,
                spec + "Tag.2.Key",
                "lifeboat:fleet",
                spec + "Tag.2.Value",
                FLEET,
                spec + "Tag.3.Key",
                "lifeboat:token",
                spec + "Tag.3.Value",
                TOKEN);
    }
}
