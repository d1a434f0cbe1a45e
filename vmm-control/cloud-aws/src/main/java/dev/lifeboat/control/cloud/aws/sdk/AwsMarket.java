// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.Filter;
import software.amazon.awssdk.services.ec2.model.InstanceLifecycleType;
import software.amazon.awssdk.services.ec2.model.InstanceStateName;

/** Hosts from EC2. Any thread. */
final class AwsMarket implements TargetMarket {
    /** EC2 may not know for some seconds what it has just made. */
    private static final Duration UNKNOWN_AT_MOST = Duration.ofMinutes(2);

    private static final int MOST_REMEMBERED = 1000;
    private static final String[] NOT_GONE = {"pending", "running", "stopping", "stopped"};

    private static final Logger LOG = LoggerFactory.getLogger(AwsMarket.class);
    /** Longer than any purchase is tried. */
    private static final Duration TEMPLATE_KEPT = Duration.ofHours(1);

    private record Bought(Instance instance, Instant at) {}

    private final AwsSettings settings;
    private final Ec2Client ec2;
    private final PlacementScores scores;
    private final SizeCatalog catalog;
    private final FleetPurchase purchases;
    private final InstantSource clock;
    private final AwsWait wait;
    private final Map<String, Bought> justBought = new ConcurrentHashMap<>();

    AwsMarket(AwsSettings settings, Ec2Client ec2, PlacementScores scores, InstantSource clock, AwsWait wait) {
        this.settings = settings;
        this.ec2 = ec2;
        this.scores = scores;
        this.clock = clock;
        this.wait = wait;
        catalog = new SizeCatalog(ec2, settings.families());
        purchases = new FleetPurchase(settings, ec2);
    }

    @Override
    public List<Offer> offers(TargetWish wish) {
        List<SizeCatalog.Size> sizes = catalog.fitting(wish);
        List<String> names = sizes.stream().map(SizeCatalog.Size::name).toList();
        List<String> zones = wish.near()
                .map(List::of)
                .orElseGet(() -> settings.subnets().keySet().stream().sorted().toList());
        zones.forEach(settings::subnetOf);
        Map<String, Integer> byZone = scores.known(names);
        Map<String, Double> prices = catalog.spotPrices(names, clock.instant());
        List<Offer> offers = new ArrayList<>();
        for (PriceClass priceClass : PriceClass.values()) {
            for (String name : names) {
                for (String zone : zones) {
                    if (catalog.isOffered(name, zone)) {
                        offers.add(offer(name, zone, priceClass, byZone, prices));
                    }
                }
            }
        }
        // Stable: among equals the smaller size stays first.
        offers.sort(Comparator.comparing(Offer::priceClass)
                .thenComparing(Comparator.comparingInt(Offer::score).reversed())
                .thenComparingDouble(offer -> offer.dollarsPerHour() == 0 ? Double.MAX_VALUE : offer.dollarsPerHour()));
        return List.copyOf(offers);
    }

    private static Offer offer(
            String size, String zone, PriceClass priceClass, Map<String, Integer> scores, Map<String, Double> prices) {
        boolean spot = priceClass == PriceClass.SPOT;
        // Scores are of spot only, and on-demand prices are not EC2's to tell.
        return new Offer(
                size,
                zone,
                priceClass,
                spot ? scores.getOrDefault(zone, 0) : 0,
                spot ? prices.getOrDefault(size + " " + zone, 0.0) : 0);
    }

    @Override
    public Instance acquire(Purchase purchase) {
        Optional<Instance> before = bought(purchase.token());
        if (before.isPresent()) {
            return before.get();
        }
        try {
            return remember(purchases.buy(purchase));
        } catch (CloudException e) {
            boolean usedBefore = AwsErrors.isCode(e, "IdempotentParameterMismatch");
            if (e.kind() != Kind.UNCLEAR && !usedBefore) {
                throw e;
            }
            // EC2 may need some seconds to find by tag what it has made.
            return wait.until(() -> bought(purchase.token())).orElseThrow(() -> e);
        }
    }

    @Override
    public Optional<Instance> bought(String token) {
        // Also those that are gone: the token has bought, and must not buy again.
        return list("find what token " + token + " has bought", AwsTags.filter(AwsTags.TOKEN, token)).stream()
                .min(Comparator.comparing((Instance instance) -> instance.state() == Instance.State.GONE))
                .or(() -> remembered(instance -> instance.token().equals(token)));
    }

    @Override
    public Instance describe(String instanceId) {
        try {
            return AwsErrors.look(
                            AwsPermission.DESCRIBE_INSTANCES,
                            "describe instance " + instanceId,
                            () -> ec2.describeInstances(request -> request.instanceIds(instanceId))
                                    .reservations())
                    .stream()
                    .flatMap(reservation -> reservation.instances().stream())
                    .findFirst()
                    .map(AwsMarket::instance)
                    .orElseThrow(() -> new CloudException(
                            Kind.NOT_FOUND, "EC2 has no instance " + instanceId + ": see that the region is right"));
        } catch (CloudException e) {
            if (e.kind() == Kind.NOT_FOUND) {
                return remembered(instance -> instance.id().equals(instanceId)).orElseThrow(() -> e);
            }
            throw e;
        }
    }

    @Override
    public List<Instance> all(String fleet) {
        try {
            purchases.sweepTemplates(fleet, clock.instant().minus(TEMPLATE_KEPT));
        } catch (CloudException e) {
            // They cost nothing; the next look finds them again.
            LOG.warn("{}", e.getMessage());
        }
        return list(
                "list the instances of fleet " + fleet,
                AwsTags.filter(AwsTags.FLEET, fleet),
                Filter.builder().name("instance-state-name").values(NOT_GONE).build());
    }

    @Override
    public void release(String instanceId) {
        try {
            AwsErrors.change(
                    AwsPermission.TERMINATE_INSTANCES,
                    "release instance " + instanceId,
                    () -> ec2.terminateInstances(request -> request.instanceIds(instanceId)));
        } catch (CloudException e) {
            // A host that was bought a moment ago is not gone, only not known yet: that has to be tried again.
            if (e.kind() != Kind.NOT_FOUND
                    || remembered(instance -> instance.id().equals(instanceId)).isPresent()) {
                throw e;
            }
        }
        justBought.remove(instanceId);
    }

    @Override
    public void stop(String instanceId) {
        AwsErrors.change(
                AwsPermission.STOP_INSTANCES,
                "stop instance " + instanceId + " (EC2 stops on-demand hosts only)",
                () -> ec2.stopInstances(request -> request.instanceIds(instanceId)));
    }

    @Override
    public void start(String instanceId) {
        AwsErrors.change(
                AwsPermission.START_INSTANCES,
                "start instance " + instanceId,
                () -> ec2.startInstances(request -> request.instanceIds(instanceId)));
    }

    /** Connects, and loads what reads answers. */
    void warmUp() {
        list("warm up", AwsTags.filter(AwsTags.TOKEN, "warm-up"));
    }

    private List<Instance> list(String attempted, Filter... filters) {
        return AwsErrors.look(
                AwsPermission.DESCRIBE_INSTANCES,
                attempted,
                () -> ec2.describeInstancesPaginator(request -> request.filters(filters)).reservations().stream()
                        .flatMap(reservation -> reservation.instances().stream())
                        .map(AwsMarket::instance)
                        .toList());
    }

    private Instance remember(Instance instance) {
        Instant now = clock.instant();
        justBought.values().removeIf(bought -> isOld(bought, now));
        if (justBought.size() < MOST_REMEMBERED) {
            justBought.put(instance.id(), new Bought(instance, now));
        }
        return instance;
    }

    private Optional<Instance> remembered(Predicate<Instance> which) {
        Instant now = clock.instant();
        return justBought.values().stream()
                .filter(bought -> !isOld(bought, now))
                .map(Bought::instance)
                .filter(which)
                .findFirst();
    }

    private static boolean isOld(Bought bought, Instant now) {
        return bought.at().plus(UNKNOWN_AT_MOST).isBefore(now);
    }

    private static Instance instance(software.amazon.awssdk.services.ec2.model.Instance found) {
        return new Instance(
                found.instanceId(),
                found.instanceTypeAsString(),
                found.placement() == null ? "" : found.placement().availabilityZone(),
                found.instanceLifecycle() == InstanceLifecycleType.SPOT ? PriceClass.SPOT : PriceClass.ON_DEMAND,
                state(found.state().name()),
                Optional.ofNullable(found.privateIpAddress()).orElse(""),
                AwsTags.value(found.tags(), AwsTags.TOKEN).orElse(""));
    }

    private static Instance.State state(InstanceStateName name) {
        return switch (name) {
            case PENDING -> Instance.State.PENDING;
            case RUNNING -> Instance.State.RUNNING;
            case STOPPING -> Instance.State.STOPPING;
            case STOPPED -> Instance.State.STOPPED;
            case SHUTTING_DOWN, TERMINATED, UNKNOWN_TO_SDK_VERSION -> Instance.State.GONE;
        };
    }
}
