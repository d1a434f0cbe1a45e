// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.http.HttpMethod;
import com.azure.core.util.Context;
import com.azure.resourcemanager.compute.fluent.models.ResourceSkuInner;
import com.azure.resourcemanager.compute.models.ResourceSkuCapabilities;
import com.azure.resourcemanager.compute.models.ResourceSkuRestrictionsType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.TargetWish;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which sizes the subscription may buy, and how likely spot hosts of them are to be had. Any thread. */
final class SizeCatalogue {
    private static final Logger LOG = LoggerFactory.getLogger(SizeCatalogue.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SCORES_API = "2025-06-05";

    /** The service takes at most five sizes in one question. */
    private static final int MAX_SCORED = 5;

    private record Size(String name, int vcpus, double memoryGib, boolean spot, List<String> zones) {}

    private final Arm arm;

    SizeCatalogue(Arm arm) {
        this.arm = arm;
    }

    List<Offer> offers(TargetWish wish) {
        List<Size> sizes = sizes(wish);
        Map<String, Integer> scores =
                scores(sizes.stream().filter(Size::spot).map(Size::name).toList());
        List<Offer> offers = new ArrayList<>();
        for (Size size : sizes) {
            for (String zone : zones(size, wish)) {
                int score = scores.getOrDefault(size.name() + "/" + zone, 0);
                if (size.spot()) {
                    offers.add(new Offer(size.name(), zone, PriceClass.SPOT, score, 0));
                }
                offers.add(new Offer(size.name(), zone, PriceClass.ON_DEMAND, 0, 0));
            }
        }
        // A stable sort: among equals the smallest size stays first.
        offers.sort(Comparator.comparing(Offer::priceClass).thenComparing(Offer::score, Comparator.reverseOrder()));
        return offers;
    }

    private List<Size> sizes(TargetWish wish) {
        String location = arm.settings().location();
        List<ResourceSkuInner> all = arm.read(
                Permission.READ_SIZES,
                "list sizes of " + location,
                () ->
                        arm
                                .compute()
                                .getResourceSkus()
                                .list("location eq '" + location + "'", null, Context.NONE)
                                .stream()
                                .toList());
        return all.stream()
                .filter(sku -> "virtualMachines".equals(sku.resourceType()))
                .filter(sku -> NestedSizes.suits(sku.name(), wish.cpuProfile()))
                .filter(SizeCatalogue::allowed)
                .map(SizeCatalogue::size)
                .filter(size -> size.vcpus() >= wish.vcpus() && size.memoryGib() * 1024 >= wish.memoryMib())
                .sorted(Comparator.comparing(Size::vcpus)
                        .thenComparing(Size::memoryGib)
                        .thenComparing(size -> -NestedSizes.version(size.name()).orElse(0))
                        .thenComparing(Size::name))
                .toList();
    }

    private static boolean allowed(ResourceSkuInner sku) {
        return sku.restrictions() == null
                || sku.restrictions().stream().noneMatch(each -> ResourceSkuRestrictionsType.LOCATION == each.type());
    }

    private static Size size(ResourceSkuInner sku) {
        Map<String, String> capabilities = new HashMap<>();
        for (ResourceSkuCapabilities each : sku.capabilities()) {
            capabilities.put(each.name(), each.value());
        }
        List<String> closed = sku.restrictions() == null
                ? List.of()
                : sku.restrictions().stream()
                        .filter(each ->
                                ResourceSkuRestrictionsType.ZONE == each.type() && each.restrictionInfo() != null)
                        .flatMap(each -> each.restrictionInfo().zones().stream())
                        .toList();
        List<String> zones = sku.locationInfo().stream()
                .filter(info -> info.zones() != null)
                .flatMap(info -> info.zones().stream())
                .filter(zone -> !closed.contains(zone))
                .sorted()
                .toList();
        return new Size(
                sku.name(),
                Integer.parseInt(capabilities.getOrDefault("vCPUs", "0")),
                Double.parseDouble(capabilities.getOrDefault("MemoryGB", "0")),
                "True".equalsIgnoreCase(capabilities.get("LowPriorityCapable")),
                zones);
    }

    private List<String> zones(Size size, TargetWish wish) {
        Optional<String> needed = wish.near().or(() -> arm.settings().zone());
        return needed.map(zone -> size.zones().contains(zone) ? List.of(zone) : List.<String>of())
                .orElse(size.zones());
    }

    /** By size and zone. Without the permission, or when the service is away, there are none: they only order the offers. */
    private Map<String, Integer> scores(List<String> sizes) {
        if (sizes.isEmpty()) {
            return Map.of();
        }
        ObjectNode body = JSON.createObjectNode();
        body.putArray("desiredLocations").add(arm.settings().location());
        ArrayNode desired = body.putArray("desiredSizes");
        sizes.stream().limit(MAX_SCORED).forEach(size -> desired.addObject().put("sku", size));
        body.put("desiredCount", 1);
        body.put("availabilityZones", true);
        String path = "subscriptions/" + arm.settings().subscription() + "/providers/Microsoft.Compute/locations/"
                + arm.settings().location() + "/placementScores/spot/generate?api-version=" + SCORES_API;
        try {
            JsonNode answer = arm.raw(
                    Permission.READ_SCORES, "get spot placement scores", HttpMethod.POST, path, Optional.of(body));
            Map<String, Integer> scores = new HashMap<>();
            for (JsonNode each : answer.path("placementScores")) {
                int score = each.path("isQuotaAvailable").asBoolean(true)
                        ? score(each.path("score").asText())
                        : 1;
                scores.put(
                        each.path("sku").asText() + "/"
                                + each.path("availabilityZone").asText(),
                        score);
            }
            return scores;
        } catch (CloudException e) {
            LOG.warn("offers are not ordered by likelihood: {}", e.getMessage());
            return Map.of();
        }
    }

    private static int score(String word) {
        return switch (word) {
            case "High" -> 9;
            case "Medium" -> 6;
            case "Low" -> 2;
            default -> 0;
        };
    }
}
