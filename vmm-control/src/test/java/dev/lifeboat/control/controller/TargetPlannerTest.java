// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.cloud.TargetMarket.Instance;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TargetPlannerTest {
    private static final long USABLE_MS = 40_000;
    private static final long IDLE_MS = 300_000;
    private static final long ORPHAN_MS = 600_000;
    private static final int RISKY_MOVES = 3;
    private static final long RISKY_MS = 3_600_000;

    @TempDir
    Path directory;

    private final TestCloud cloud = new TestCloud();
    private final Deque<Runnable> queued = new ArrayDeque<>();
    private final Set<String> inUse = new HashSet<>();
    private boolean queueing;
    private Events events = new Events();
    private PlannerSettings settings = settings(10, 100, 0, 0, 120_000);
    private TargetPlanner planner;

    private static PlannerSettings settings(
            int maxHosts, double maxDollars, int spares, int stopped, long noticeMillis) {
        return new PlannerSettings(
                "fleet",
                maxHosts,
                maxDollars,
                spares,
                stopped,
                256,
                1,
                noticeMillis,
                USABLE_MS,
                IDLE_MS,
                ORPHAN_MS,
                RISKY_MOVES,
                RISKY_MS,
                Map.of("big SPOT", 0.06));
    }

    /** What a restart leaves: the journal and the cloud. */
    private TargetPlanner planner() {
        if (planner == null) {
            queued.clear();
            planner = new TargetPlanner(
                    cloud,
                    new JsonJournal<>(directory, HostRecord.class),
                    settings,
                    cloud,
                    job -> {
                        if (queueing) {
                            queued.add(job);
                        } else {
                            job.run();
                        }
                    },
                    events,
                    host -> "#!/bin/sh\n# " + host.name(),
                    instance -> inUse.contains(instance.id()));
        }
        return planner;
    }

    private void restart() {
        planner = null;
        planner();
    }

    private VmWish need(long leftMs) {
        return new VmWish(
                "a",
                128,
                1,
                "host",
                Optional.of(cloud.nowMillis + leftMs),
                "notice",
                false,
                false,
                Optional.empty(),
                Optional.empty(),
                List.of());
    }

    private static VmWish plan() {
        return new VmWish("a", 128, 1, "host", Optional.empty(), "", false, false, null, Optional.empty(), List.of());
    }

    private static VmWish warm() {
        return new VmWish(
                "a", 128, 1, "host", Optional.empty(), "hint", true, false, null, Optional.empty(), List.of());
    }

    private void later(long ms) {
        cloud.nowMillis += ms;
        planner().step();
    }

    /** All hosts that have booted enrol and answer, and say how many VMs they run. */
    private void arrive() {
        for (HostRecord host : planner().allHosts()) {
            if (host.step() == HostRecord.Step.BOUGHT) {
                planner().enrolled(host.token(), "key", "https://" + host.name(), host.cloudAddress());
            }
        }
        answer();
    }

    private void answer() {
        for (HostRecord host : planner().allHosts()) {
            boolean runs = cloud.standing().stream()
                    .anyMatch(instance ->
                            instance.id().equals(host.instanceId()) && instance.state() != Instance.State.STOPPED);
            if (host.step() == HostRecord.Step.ENROLLED && runs) {
                planner().heard(host.name(), inUse.contains(host.instanceId()) ? 1 : 0, 0, false);
            }
        }
    }

    private TargetView.State state() {
        return planner().target("web").state();
    }

    private List<String> kinds() {
        return events.after(0).stream().map(Events.Event::kind).toList();
    }

    /** Time passes, hosts answer, wishes are not repeated. */
    private void pass(long ms) {
        for (long passed = 0; passed < ms; passed += 5_000) {
            cloud.nowMillis += 5_000;
            answer();
            planner().step();
        }
    }

    /** No instance without a record, no record without an instance. */
    private void assertNothingLeaked() {
        assertThat(planner().allHosts())
                .filteredOn(HostRecord::bought)
                .extracting(HostRecord::instanceId)
                .containsExactlyInAnyOrderElementsOf(
                        cloud.standing().stream().map(Instance::id).toList());
    }

    @Test
    void aTargetIsPlannedWithoutBuyingThenBoughtWhenNeeded() {
        planner().wish("web", plan());
        later(1_000);
        assertThat(state()).isEqualTo(TargetView.State.PLANNED);
        assertThat(cloud.standing()).isEmpty();

        planner().wish("web", need(110_000));
        assertThat(state()).isEqualTo(TargetView.State.BOOTING);
        assertThat(cloud.standing()).singleElement().satisfies(instance -> {
            assertThat(instance.priceClass()).isEqualTo(PriceClass.SPOT);
            assertThat(instance.size()).isEqualTo("m8i.large");
        });
        cloud.nowMillis += 26_000;
        arrive();
        TargetView ready = planner().target("web");
        assertThat(ready.state()).isEqualTo(TargetView.State.READY);
        assertThat(ready.targetAcquireMs()).isEqualTo(26_000);
        assertThat(ready.url()).startsWith("https://host-");
        assertThat(ready.underlayAddress()).isEqualTo("10.0.1.1");
    }

    @Test
    void theSameWishAgainBuysNothingMore() {
        for (int i = 0; i < 5; i++) {
            planner().wish("web", need(110_000));
            later(1_000);
        }
        assertThat(cloud.standing()).hasSize(1);
    }

    @Test
    void withoutSpotCapacityItIsOnDemand() {
        cloud.capacity.put(PriceClass.SPOT, 0);
        planner().wish("web", need(110_000));
        assertThat(cloud.standing()).extracting(Instance::priceClass).containsExactly(PriceClass.ON_DEMAND);
        assertThat(kinds()).contains("spot-not-had");
        assertNothingLeaked();
    }

    @Test
    void withANearDeadlineBothAreAskedAndTheLoserIsReleased() {
        planner().wish("web", need(50_000));
        assertThat(cloud.standing())
                .extracting(Instance::priceClass)
                .containsExactlyInAnyOrder(PriceClass.SPOT, PriceClass.ON_DEMAND);
        HostRecord onDemand = planner().allHosts().stream()
                .filter(host -> host.priceClass() == PriceClass.ON_DEMAND)
                .findFirst()
                .orElseThrow();
        cloud.nowMillis += 20_000;
        planner().enrolled(onDemand.token(), "key", "https://x", "10.0.1.2");
        planner().heard(onDemand.name(), 0, 0, false);
        assertThat(planner().target("web").host()).isEqualTo(onDemand.name());
        assertThat(cloud.standing()).extracting(Instance::id).containsExactly(onDemand.instanceId());
        assertNothingLeaked();
    }

    @Test
    void aDeadlineThatMovesCloserStartsTheRace() {
        planner().wish("web", need(110_000));
        assertThat(cloud.standing()).hasSize(1);
        planner().wish("web", need(30_000));
        assertThat(cloud.standing()).hasSize(2);
    }

    @Test
    void aRaceInWhichSpotIsNotHadBuysOneOnDemandHostOnly() {
        cloud.capacity.put(PriceClass.SPOT, 0);
        planner().wish("web", need(30_000));
        later(1_000);
        assertThat(cloud.standing()).extracting(Instance::priceClass).containsExactly(PriceClass.ON_DEMAND);
    }

    @Test
    void aVmAtRiskGoesToOnDemandOnly() {
        planner().wish("web", new VmWish("a", 128, 1, null, null, "", true, true, null, Optional.empty(), List.of()));
        assertThat(cloud.standing()).extracting(Instance::priceClass).containsExactly(PriceClass.ON_DEMAND);
    }

    @Test
    void aVmThatHasMovedTooOftenGoesToOnDemandUntilItHasStayedForAWhile() {
        for (int move = 0; move < RISKY_MOVES; move++) {
            planner().wish("web", warmOn("spot-" + move));
            assertThat(cloud.standing()).extracting(Instance::priceClass).containsOnly(PriceClass.SPOT);
            cloud.nowMillis += 60_000;
        }
        // Its third move in an hour, so the spot host that is on its way is no target for it any more, and another
        // comes.
        planner().wish("web", warmOn("spot-" + RISKY_MOVES));
        assertThat(kinds()).contains("vm-at-risk");
        later(1_000);
        assertThat(cloud.standing()).extracting(Instance::priceClass).contains(PriceClass.ON_DEMAND);
        arrive();
        assertThat(planner().target("web").priceClass()).isEqualTo("ON_DEMAND");

        cloud.nowMillis += RISKY_MS;
        planner().wish("mail", warmOn("other"));
        planner().wish("web", warmOn("spot-" + RISKY_MOVES));
        assertThat(events.after(0))
                .filteredOn(event -> event.kind().equals("vm-at-risk"))
                .hasSize(1);
    }

    private static VmWish warmOn(String host) {
        return new VmWish(
                host, 128, 1, "host", Optional.empty(), "hint", true, false, null, Optional.empty(), List.of());
    }

    @Test
    void whatTheCloudSaysNoPriceOfCostsWhatTheSettingsSayAndAnUnknownPriceIsTold() {
        settings = settings(10, 0.10, 0, 0, 120_000);
        cloud.market.clear();
        cloud.market.add(new TargetMarket.Offer("big", "a", PriceClass.SPOT, 9, 0));
        cloud.market.add(new TargetMarket.Offer("strange", "a", PriceClass.ON_DEMAND, 9, 0));
        planner().wish("web", need(110_000));
        assertThat(cloud.standing()).extracting(Instance::size).containsExactly("big");
        assertThat(kinds()).doesNotContain("price-unknown");
        // A second one would cost 0.12 dollars with the first; what has no price is not held back by a price.
        planner().wish("db", new VmWish("a", 4_096, 1, null, null, "", true, false, null, null, null));
        assertThat(cloud.standing()).extracting(Instance::size).containsExactlyInAnyOrder("big", "strange");
        assertThat(events.after(0))
                .filteredOn(event -> event.kind().equals("price-unknown"))
                .singleElement()
                .satisfies(event -> assertThat(event.message()).contains("of strange", "\"prices\""));
    }

    @Test
    void aZonalVolumeKeepsTheTargetInItsZone() {
        cloud.market.add(0, new TargetMarket.Offer("m8i.large", "b", PriceClass.SPOT, 10, 0.03));
        planner().wish("web", new VmWish("a", 128, 1, null, null, "", true, false, null, Optional.of("a"), List.of()));
        assertThat(cloud.standing()).extracting(Instance::zone).containsExactly("a");
    }

    @Test
    void capacityNowhereIsSaidAndTriedAgainUntilTheDeadline() {
        cloud.capacity.put(PriceClass.SPOT, 0);
        cloud.capacity.put(PriceClass.ON_DEMAND, 0);
        planner().wish("web", need(110_000));
        assertThat(state()).isEqualTo(TargetView.State.LOST);
        assertThat(planner().target("web").message()).contains("no host is to be had", "no ON_DEMAND capacity");
        assertThat(events.after(0))
                .filteredOn(event -> event.kind().equals("target-failed"))
                .singleElement()
                .satisfies(event -> assertThat(event.message()).contains("restored from its last epoch"));
        cloud.capacity.put(PriceClass.ON_DEMAND, 1);
        later(6_000);
        assertThat(state()).isEqualTo(TargetView.State.BOOTING);
        assertNothingLeaked();
    }

    @Test
    void afterTheDeadlineNothingMoreIsBought() {
        cloud.capacity.put(PriceClass.SPOT, 0);
        cloud.capacity.put(PriceClass.ON_DEMAND, 0);
        planner().wish("web", need(10_000));
        later(11_000);
        cloud.capacity.put(PriceClass.SPOT, 9);
        later(10_000);
        assertThat(cloud.standing()).isEmpty();
    }

    @Test
    void aTargetPreemptedWhileItReceivesIsReplacedFromAnotherPool() {
        planner().wish("web", need(110_000));
        cloud.nowMillis += 20_000;
        arrive();
        String first = planner().target("web").host();
        cloud.preempt(cloud.standing().get(0).id());
        later(16_000);
        assertThat(kinds()).contains("host-lost", "target-lost");
        assertThat(cloud.standing()).hasSizeGreaterThanOrEqualTo(1);
        assertThat(cloud.standing())
                .filteredOn(instance -> instance.priceClass() == PriceClass.SPOT)
                .extracting(Instance::size)
                .containsExactly("m8i.xlarge");
        cloud.nowMillis += 20_000;
        arrive();
        assertThat(planner().target("web").host()).isNotEqualTo(first).isNotEmpty();
        later(1_000);
        assertNothingLeaked();
    }

    @Test
    void aTargetThatSaysItIsLeavingIsReplacedAtOnce() {
        planner().wish("web", need(110_000));
        cloud.nowMillis += 20_000;
        arrive();
        planner().heard(planner().target("web").host(), 0, 0, true);
        assertThat(state()).isEqualTo(TargetView.State.BOOTING);
        assertThat(cloud.standing()).hasSizeGreaterThanOrEqualTo(2);
    }

    @Test
    void aTargetThatDidNotTakeTheVmIsAvoided() {
        planner().wish("web", need(110_000));
        cloud.nowMillis += 20_000;
        arrive();
        String first = planner().target("web").host();
        VmWish other = new VmWish(
                "a",
                128,
                1,
                null,
                Optional.of(cloud.nowMillis + 80_000),
                "",
                false,
                false,
                Optional.empty(),
                Optional.empty(),
                List.of(first));
        assertThat(planner().wish("web", other).state()).isEqualTo(TargetView.State.BOOTING);
        arrive();
        assertThat(planner().target("web").host()).isNotEqualTo(first);
    }

    @Test
    void aHintBuysAheadAndWhatComesOfNothingIsGivenBack() {
        planner().wish("web", warm());
        arrive();
        assertThat(state()).isEqualTo(TargetView.State.READY);
        pass(900_000 + IDLE_MS + 10_000);
        assertThat(cloud.standing()).isEmpty();
        assertThat(planner().allHosts()).isEmpty();
    }

    @Test
    void aWithdrawnNoticeLeavesNothingBehind() {
        planner().wish("web", need(110_000));
        planner().calm("web");
        arrive();
        pass(IDLE_MS + 10_000);
        assertThat(cloud.standing()).isEmpty();
    }

    @Test
    void aHostThatRunsVmsIsNeverReleased() {
        planner().wish("web", need(110_000));
        arrive();
        inUse.add(cloud.standing().get(0).id());
        pass(2 * IDLE_MS);
        // Silence is no proof that its VMs are gone.
        for (int i = 0; i < 200; i++) {
            later(5_000);
        }
        assertThat(cloud.standing()).hasSize(1);
        assertThat(cloud.calls).doesNotContain("release");
    }

    @Test
    void aVmThatHasArrivedNeedsItsNextTarget() {
        planner().wish("web", need(110_000));
        arrive();
        String host = planner().target("web").host();
        VmWish there = new VmWish(host, 128, 1, null, null, "", false, false, null, Optional.empty(), List.of());
        assertThat(planner().wish("web", there).state()).isEqualTo(TargetView.State.PLANNED);
        assertThat(planner()
                        .wish(
                                "web",
                                new VmWish(
                                        host,
                                        128,
                                        1,
                                        null,
                                        Optional.of(cloud.nowMillis + 100_000),
                                        "",
                                        false,
                                        false,
                                        null,
                                        null,
                                        null))
                        .state())
                .isEqualTo(TargetView.State.BOOTING);
        assertThat(cloud.standing()).hasSize(2);
    }

    @Test
    void whereTheNoticeIsShorterThanABootATargetIsAlwaysWarm() {
        settings = settings(10, 100, 0, 0, 30_000);
        planner().wish("web", plan());
        arrive();
        assertThat(state()).isEqualTo(TargetView.State.READY);
        for (int i = 0; i < 40; i++) {
            planner().wish("web", plan());
            pass(30_000);
        }
        assertThat(state()).isEqualTo(TargetView.State.READY);
        assertThat(cloud.standing()).hasSize(1);
    }

    @Test
    void severalVmsShareAHostThatHasRoom() {
        for (String vm : List.of("web", "db", "cache")) {
            planner().wish(vm, need(110_000));
        }
        assertThat(cloud.standing()).hasSize(2);
        arrive();
        for (String vm : List.of("web", "db", "cache")) {
            assertThat(planner().target(vm).state()).isEqualTo(TargetView.State.READY);
        }
    }

    @Test
    void theLimitOfHostsStopsBuyingAndIsSaid() {
        settings = settings(1, 100, 0, 0, 120_000);
        planner().wish("db", new VmWish("a", 256, 1, null, null, "", true, false, null, null, null));
        planner().wish("web", need(110_000));
        assertThat(cloud.standing()).hasSize(1);
        assertThat(planner().target("web").message()).contains("spending limit", "\"maxHosts\" is 1");
    }

    @Test
    void theLimitOfDollarsLeavesOutWhatIsTooDearAndThenStops() {
        settings = settings(10, 0.13, 0, 0, 120_000);
        planner().wish("a", new VmWish("h", 256, 1, null, null, "", true, false, null, null, null));
        planner().wish("b", new VmWish("h", 256, 1, null, null, "", true, false, null, null, null));
        planner().wish("web", need(110_000));
        assertThat(cloud.purchases.values().stream().flatMap(purchase -> purchase.offers().stream()))
                .noneMatch(offer -> offer.dollarsPerHour() > 0.09);
        assertThat(planner().target("web").message()).contains("\"maxDollarsPerHour\" is 0.13");
    }

    @Test
    void spareHostsAreKeptAndTakenAtOnce() {
        settings = settings(10, 100, 1, 0, 120_000);
        later(1_000);
        arrive();
        assertThat(cloud.standing()).hasSize(1);
        TargetView taken = planner().wish("web", need(110_000));
        assertThat(taken.state()).isEqualTo(TargetView.State.READY);
        assertThat(taken.targetAcquireMs()).isZero();
        pass(10_000);
        assertThat(cloud.standing()).hasSize(2);
    }

    @Test
    void aStoppedHostIsStartedRatherThanANewOneBought() {
        settings = settings(10, 100, 0, 1, 120_000);
        planner().wish("web", warm());
        arrive();
        pass(900_000 + IDLE_MS + 10_000);
        assertThat(cloud.standing()).extracting(Instance::state).containsExactly(Instance.State.STOPPED);
        planner().wish("web", need(110_000));
        assertThat(cloud.calls).contains("start");
        cloud.nowMillis += 5_000;
        arrive();
        TargetView ready = planner().target("web");
        assertThat(ready.state()).isEqualTo(TargetView.State.READY);
        assertThat(ready.targetAcquireMs()).isEqualTo(5_000);
        assertThat(cloud.standing()).hasSize(1);
    }

    @Test
    void aLostAnswerIsFoundByItsToken() {
        cloud.lost.add("acquire");
        planner().wish("web", need(110_000));
        assertThat(state()).isEqualTo(TargetView.State.BUYING);
        later(4_000);
        later(1_000);
        assertThat(state()).isEqualTo(TargetView.State.BOOTING);
        assertThat(cloud.standing()).hasSize(1);
        assertNothingLeaked();
    }

    @Test
    void whatComesToLightTooLateIsReleased() {
        cloud.lost.add("acquire");
        cloud.invisibleMs = 30_000;
        planner().wish("web", need(110_000));
        later(6_000);
        // The unclear one is not waited for.
        assertThat(cloud.standing()).hasSize(2);
        cloud.nowMillis += 20_000;
        arrive();
        assertThat(state()).isEqualTo(TargetView.State.READY);
        pass(20_000);
        assertThat(cloud.standing()).hasSize(1);
        assertNothingLeaked();
    }

    @Test
    void aThrottledOrAbsentCloudIsAskedAgainSoon() {
        cloud.fail("acquire", CloudException.Kind.THROTTLED, "slow down");
        cloud.fail("acquire", CloudException.Kind.UNAVAILABLE, "503");
        planner().wish("web", need(110_000));
        assertThat(planner().target("web").message()).contains("slow down");
        later(3_000);
        later(3_000);
        assertThat(state()).isEqualTo(TargetView.State.BOOTING);
        assertThat(planner().allHosts()).hasSize(1);
    }

    @Test
    void aRefusalIsSaidInTheCloudsWordsAndNotRepeatedEachSecond() {
        for (CloudException.Kind kind : List.of(CloudException.Kind.DENIED, CloudException.Kind.INVALID)) {
            cloud.fail("acquire", kind, "the role lacks ec2:CreateFleet");
        }
        planner().wish("web", need(110_000));
        assertThat(planner().target("web").message()).isEqualTo("the role lacks ec2:CreateFleet");
        for (int i = 0; i < 10; i++) {
            later(1_000);
        }
        assertThat(cloud.calls.stream().filter("acquire"::equals)).hasSize(1);
    }

    @Test
    void aHostThatNeverComesIsGivenBackAndReplaced() {
        planner().wish("web", warm());
        String first = cloud.standing().get(0).id();
        for (int i = 0; i < 130; i++) {
            later(5_000);
        }
        assertThat(cloud.standing())
                .extracting(Instance::id)
                .doesNotContain(first)
                .hasSize(1);
    }

    @Test
    void anOrphanIsReleasedAfterItsTimeUnlessItIsInUse() {
        Instance orphan = cloud.addStranger("fleet", "of-nobody");
        Instance used = cloud.addStranger("fleet", "");
        Instance foreign = cloud.addStranger("another-fleet", "");
        inUse.add(used.id());
        pass(ORPHAN_MS - 30_000);
        assertThat(cloud.standing()).hasSize(3);
        pass(150_000);
        assertThat(cloud.standing()).extracting(Instance::id).containsExactlyInAnyOrder(used.id(), foreign.id());
        assertThat(kinds()).contains("orphan-released", "orphan-kept");
    }

    @Test
    void aRestartAtAnyCallLeaksNothingAndFindsWhatWasBought() {
        int crashes = 0;
        for (boolean after : new boolean[] {false, true}) {
            for (String call : List.of("acquire", "release", "offers", "describe", "bought")) {
                TargetPlannerTest history = new TargetPlannerTest();
                history.directory = directory.resolve(call + after);
                crashes += history.crashAt(call, after);
            }
        }
        assertThat(crashes).isGreaterThanOrEqualTo(7);
    }

    private int crashAt(String call, boolean after) {
        (after ? cloud.crashAfter : cloud.crashBefore).add(call);
        if (call.equals("bought")) {
            cloud.lost.add("acquire");
        }
        int crashes = 0;
        Runnable[] steps = {
            () -> planner().wish("web", need(50_000)),
            () -> later(6_000),
            this::arrive,
            () -> later(6_000),
            () -> planner().calm("web"),
        };
        for (Runnable step : steps) {
            try {
                step.run();
            } catch (TestCloud.Crash crash) {
                crashes++;
                restart();
                planner().wish("web", need(50_000));
            }
        }
        restart();
        for (int round = 0; round < 3; round++) {
            try {
                arrive();
                pass(TargetPlanner.UNCLEAR_MS + IDLE_MS + 100_000);
            } catch (TestCloud.Crash crash) {
                crashes++;
                restart();
            }
        }
        assertThat(cloud.standing()).as("crash at %s, after %s", call, after).isEmpty();
        assertThat(planner().allHosts())
                .as("crash at %s, after %s", call, after)
                .isEmpty();
        return crashes;
    }

    @Test
    void aRestartWhileAHostBootsLetsItArriveForItsVm() {
        planner().wish("web", need(110_000));
        restart();
        assertThat(planner().wish("web", need(100_000)).state()).isEqualTo(TargetView.State.BOOTING);
        arrive();
        assertThat(state()).isEqualTo(TargetView.State.READY);
        restart();
        assertThat(planner().wish("web", need(90_000)).state()).isEqualTo(TargetView.State.BOOTING);
        answer();
        assertThat(state()).isEqualTo(TargetView.State.READY);
        assertThat(cloud.standing()).hasSize(1);
    }

    @Test
    void whatIsNotNeededAnyMoreBeforeItsPurchaseBeganIsNotBought() {
        queueing = true;
        planner().wish("web", need(110_000));
        assertThat(state()).isEqualTo(TargetView.State.BUYING);
        assertThat(cloud.calls).doesNotContain("acquire");
        planner().wish("web", need(110_000));
        planner().step();
        queueing = false;
        while (!queued.isEmpty()) {
            queued.poll().run();
        }
        assertThat(cloud.calls.stream().filter("acquire"::equals)).hasSize(1);
        assertThat(state()).isEqualTo(TargetView.State.BOOTING);
    }
}
