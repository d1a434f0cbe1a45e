// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.TargetMarket.TargetWish;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.InstanceTypeInfo;
import software.amazon.awssdk.services.ec2.model.LocationType;

/** Sizes of a region that can run virtual machines of their own, and what they cost. Any thread. */
final class SizeCatalog {
    /** A host of more than four times the VM is money for nothing. */
    private static final int LARGEST = 4;
    /** More sizes hardly add capacity, and CreateFleet takes 300 overrides at most. */
    private static final int MOST_SIZES = 20;

    private static final Duration KEPT = Duration.ofHours(1);

    record Size(String name, int vcpus, long memoryMib) {}

    private record Known(List<Size> sizes, Map<String, Set<String>> byZone, long readNs) {}

    private final Ec2Client ec2;
    private final List<String> families;
    private volatile Known known = new Known(List.of(), Map.of(), System.nanoTime() - KEPT.toNanos());

    SizeCatalog(Ec2Client ec2, List<String> families) {
        this.ec2 = ec2;
        this.families = families;
    }

    /** The smallest first. */
    List<Size> fitting(TargetWish wish) {
        return known().sizes().stream()
                .filter(size -> families.isEmpty() || families.contains(family(size.name())))
                .filter(size -> size.vcpus() >= wish.vcpus() && size.memoryMib() >= wish.memoryMib())
                .filter(size ->
                        size.vcpus() <= LARGEST * wish.vcpus() || size.memoryMib() <= LARGEST * wish.memoryMib())
                .sorted(Comparator.comparingInt(Size::vcpus)
                        .thenComparingLong(Size::memoryMib)
                        .thenComparing(Size::name))
                .limit(MOST_SIZES)
                .toList();
    }

    boolean isOffered(String size, String zone) {
        return known().byZone().getOrDefault(zone, Set.of()).contains(size);
    }

    /** Spot prices in dollars per hour, by {@code SIZE ZONE}. */
    Map<String, Double> spotPrices(List<String> sizes, Instant now) {
        Map<String, Double> prices = new HashMap<>();
        if (sizes.isEmpty()) {
            return prices;
        }
        AwsErrors.look(AwsPermission.DESCRIBE_SPOT_PRICE_HISTORY, "read spot prices", () -> {
            ec2.describeSpotPriceHistoryPaginator(request -> request.instanceTypesWithStrings(sizes)
                            .productDescriptions("Linux/UNIX")
                            .startTime(now))
                    .spotPriceHistory()
                    .forEach(price -> prices.put(
                            price.instanceTypeAsString() + " " + price.availabilityZone(),
                            Double.parseDouble(price.spotPrice())));
            return prices;
        });
        return prices;
    }

    private static String family(String size) {
        return size.substring(0, Math.max(0, size.indexOf('.')));
    }

    private Known known() {
        Known now = known;
        if (System.nanoTime() - now.readNs() >= KEPT.toNanos()) {
            now = new Known(sizes(), offerings(), System.nanoTime());
            known = now;
        }
        return now;
    }

    private List<Size> sizes() {
        return AwsErrors.look(
                AwsPermission.DESCRIBE_INSTANCE_TYPES,
                "list instance types",
                () -> ec2
                        .describeInstanceTypesPaginator(request -> request.filters(
                                filter -> filter.name("processor-info.supported-features")
                                        .values("nested-virtualization"),
                                filter -> filter.name("current-generation").values("true")))
                        .instanceTypes()
                        .stream()
                        .map(SizeCatalog::size)
                        .toList());
    }

    private static Size size(InstanceTypeInfo info) {
        return new Size(
                info.instanceTypeAsString(),
                info.vCpuInfo().defaultVCpus(),
                info.memoryInfo().sizeInMiB());
    }

    private Map<String, Set<String>> offerings() {
        Map<String, Set<String>> byZone = new HashMap<>();
        return AwsErrors.look(AwsPermission.DESCRIBE_INSTANCE_TYPE_OFFERINGS, "list what zones offer", () -> {
            ec2.describeInstanceTypeOfferingsPaginator(request -> request.locationType(LocationType.AVAILABILITY_ZONE))
                    .instanceTypeOfferings()
                    .forEach(offering -> byZone.computeIfAbsent(offering.location(), zone -> new HashSet<>())
                            .add(offering.instanceTypeAsString()));
            return byZone;
        });
    }
}
