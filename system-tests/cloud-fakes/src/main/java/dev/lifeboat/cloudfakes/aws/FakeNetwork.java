// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/** Interfaces, route tables and public addresses of one network. Guarded by its {@link AwsFake}. */
final class FakeNetwork {
    private static final String VPC = "vpc-0123456789abcdef0";
    /** From the answer of a detachment to its end. */
    private static final Duration DETACHING = Duration.ofSeconds(2);

    static final class Card {
        final String id;
        final String zone;
        final Set<String> addresses = new LinkedHashSet<>();
        final Set<String> prefixes = new LinkedHashSet<>();
        boolean sourceDestCheck = true;
        String instance;
        int index;
        Instant detached = Instant.MAX;

        Card(String id, String zone, String instance, int index, String address) {
            this.id = id;
            this.zone = zone;
            this.instance = instance;
            this.index = index;
            addresses.add(address);
        }

        String first() {
            return addresses.iterator().next();
        }
    }

    private static final class Elastic {
        final String allocation;
        Card card;
        String privateAddress;

        Elastic(String allocation, Card card) {
            this.allocation = allocation;
            this.card = card;
            privateAddress = card.first();
        }
    }

    private final InstantSource clock;
    private final Map<String, Card> cards = new LinkedHashMap<>();
    /** Interfaces by range, by table. */
    private final Map<String, Map<String, String>> tables = new TreeMap<>();

    private final Map<String, Elastic> elastics = new TreeMap<>();
    boolean prefixesMoveInTwoCalls;

    FakeNetwork(InstantSource clock) {
        this.clock = clock;
    }

    Card addFirst(FakeHosts.Host host) {
        return add(host, 0, host.address);
    }

    Card addFurther(FakeHosts.Host host, String address) {
        return add(host, 1, address);
    }

    private Card add(FakeHosts.Host host, int index, String address) {
        Card card = new Card(String.format("eni-%017x", 0xe0000 + cards.size()), host.zone, host.id, index, address);
        cards.put(card.id, card);
        return card;
    }

    Card first(String instanceId) {
        return cards.values().stream()
                .filter(card -> instanceId.equals(card.instance) && card.index == 0)
                .findFirst()
                .orElseThrow();
    }

    void addRoute(String table, String range, String cardId) {
        tables.computeIfAbsent(table, name -> new TreeMap<>()).put(range, cardId);
    }

    void addElastic(String address, Card card) {
        elastics.put(address, new Elastic("eipalloc-" + String.format("%017x", elastics.size() + 1), card));
    }

    boolean answer(String action, Ec2Form form, Xml out) {
        cards.values().forEach(this::settle);
        switch (action) {
            case "DescribeNetworkInterfaces" -> describe(form, out);
            case "AssignPrivateIpAddresses" -> assign(form, out);
            case "UnassignPrivateIpAddresses" -> unassign(form, out);
            case "DescribeRouteTables" -> describeTables(form, out);
            case "ReplaceRoute" -> replaceRoute(form, out);
            case "ModifyNetworkInterfaceAttribute" -> {
                card(form).sourceDestCheck = Boolean.parseBoolean(form.require("SourceDestCheck.Value"));
                out.value("return", true);
            }
            case "DescribeAddresses" -> describeAddresses(form, out);
            case "AssociateAddress" -> associate(form, out);
            case "DetachNetworkInterface" -> detach(form, out);
            case "AttachNetworkInterface" -> attach(form, out);
            default -> {
                return false;
            }
        }
        return true;
    }

    private void settle(Card card) {
        if (!clock.instant().isBefore(card.detached)) {
            card.instance = null;
            card.detached = Instant.MAX;
        }
    }

    private Card card(Ec2Form form) {
        String id = form.require("NetworkInterfaceId");
        Card card = cards.get(id);
        if (card == null) {
            throw new AwsFault(
                    400, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '" + id + "' does not exist");
        }
        return card;
    }

    private static String subnet(String zone) {
        return "subnet-0123456789abcde0" + zone.charAt(zone.length() - 1);
    }

    private void describe(Ec2Form form, Xml out) {
        Map<String, List<String>> filters = form.filters();
        out.items(
                "networkInterfaceSet",
                cards.values().stream().filter(fits(filters)).toList(),
                this::card);
    }

    private static Predicate<Card> fits(Map<String, List<String>> filters) {
        return card -> filters.entrySet().stream().allMatch(filter -> {
            List<String> wanted = filter.getValue();
            return switch (filter.getKey()) {
                case "attachment.instance-id" -> card.instance != null && wanted.contains(card.instance);
                case "network-interface-id" -> wanted.contains(card.id);
                case "addresses.private-ip-address" -> wanted.stream().anyMatch(card.addresses::contains);
                case "vpc-id" -> wanted.contains(VPC);
                default ->
                    throw new AwsFault(400, "InvalidParameterValue", "The filter '" + filter.getKey() + "' is invalid");
            };
        });
    }

    private void card(Xml xml, Card card) {
        xml.value("networkInterfaceId", card.id)
                .value("subnetId", subnet(card.zone))
                .value("vpcId", VPC)
                .value("availabilityZone", card.zone)
                .value("status", card.instance == null ? "available" : "in-use")
                .value("macAddress", "02:00:00:00:00:" + card.id.substring(card.id.length() - 2))
                .value("privateIpAddress", card.first())
                .value("sourceDestCheck", card.sourceDestCheck);
        if (card.instance != null) {
            xml.in(
                    "attachment",
                    inner -> inner.value("attachmentId", card.id.replace("eni-", "eni-attach-"))
                            .value("instanceId", card.instance)
                            .value("deviceIndex", card.index)
                            .value("status", card.detached.equals(Instant.MAX) ? "attached" : "detaching"));
        }
        xml.items(
                        "privateIpAddressesSet",
                        card.addresses,
                        (item, address) ->
                                item.value("privateIpAddress", address).value("primary", address.equals(card.first())))
                .items("ipv4PrefixSet", card.prefixes, (item, prefix) -> item.value("ipv4Prefix", prefix));
    }

    private void assign(Ec2Form form, Xml out) {
        Card taker = card(form);
        List<String> addresses = form.list("PrivateIpAddress");
        List<String> prefixes = form.list("Ipv4Prefix");
        if (addresses.isEmpty() == prefixes.isEmpty()) {
            throw new AwsFault(400, "InvalidParameterCombination", "either addresses or prefixes");
        }
        for (Card giver : cards.values()) {
            boolean has = addresses.stream().anyMatch(giver.addresses::contains)
                    || prefixes.stream().anyMatch(giver.prefixes::contains);
            if (has && !form.is("AllowReassignment")) {
                throw new AwsFault(400, "InvalidParameterValue", "is already assigned");
            }
            if (has && !prefixes.isEmpty() && prefixesMoveInTwoCalls) {
                throw new AwsFault(400, "InvalidParameterValue", "the prefix is in use by " + giver.id);
            }
            giver.addresses.removeAll(addresses);
            giver.prefixes.removeAll(prefixes);
        }
        taker.addresses.addAll(addresses);
        taker.prefixes.addAll(prefixes);
        out.value("networkInterfaceId", taker.id)
                .items(
                        "assignedPrivateIpAddressesSet",
                        addresses,
                        (xml, address) -> xml.value("privateIpAddress", address))
                .items("assignedIpv4PrefixSet", prefixes, (xml, prefix) -> xml.value("ipv4Prefix", prefix))
                .value("return", true);
    }

    private void unassign(Ec2Form form, Xml out) {
        Card card = card(form);
        card.addresses.removeAll(form.list("PrivateIpAddress"));
        card.prefixes.removeAll(form.list("Ipv4Prefix"));
        out.value("return", true);
    }

    private void describeTables(Ec2Form form, Xml out) {
        List<String> ranges = form.filters().getOrDefault("route.destination-cidr-block", List.of());
        List<Map.Entry<String, Map<String, String>>> found = tables.entrySet().stream()
                .filter(table -> ranges.isEmpty() || ranges.stream().anyMatch(table.getValue()::containsKey))
                .toList();
        out.items(
                "routeTableSet",
                found,
                (xml, table) -> xml.value("routeTableId", table.getKey())
                        .value("vpcId", VPC)
                        .items(
                                "routeSet",
                                table.getValue().entrySet(),
                                (item, route) -> item.value("destinationCidrBlock", route.getKey())
                                        .value("networkInterfaceId", route.getValue())
                                        .value("state", "active")
                                        .value("origin", "CreateRoute")));
    }

    private void replaceRoute(Ec2Form form, Xml out) {
        Map<String, String> table = tables.get(form.require("RouteTableId"));
        Card card = card(form);
        if (table == null || table.replace(form.require("DestinationCidrBlock"), card.id) == null) {
            throw new AwsFault(400, "InvalidRoute.NotFound", "no such route");
        }
        out.value("return", true);
    }

    private void describeAddresses(Ec2Form form, Xml out) {
        List<String> wanted = form.list("PublicIp");
        wanted.stream().filter(address -> !elastics.containsKey(address)).forEach(address -> {
            throw new AwsFault(400, "InvalidAddress.NotFound", "Address '" + address + "' not found.");
        });
        List<Map.Entry<String, Elastic>> found = elastics.entrySet().stream()
                .filter(elastic -> wanted.isEmpty() || wanted.contains(elastic.getKey()))
                .toList();
        out.items(
                "addressesSet",
                found,
                (xml, one) -> xml.value("publicIp", one.getKey())
                        .value("allocationId", one.getValue().allocation)
                        .value("domain", "vpc")
                        .value("networkInterfaceId", one.getValue().card.id)
                        .value("privateIpAddress", one.getValue().privateAddress));
    }

    private void associate(Ec2Form form, Xml out) {
        Card card = card(form);
        Elastic elastic = elastics.values().stream()
                .filter(one -> one.allocation.equals(form.require("AllocationId")))
                .findFirst()
                .orElseThrow(() -> new AwsFault(400, "InvalidAllocationID.NotFound", "no such allocation"));
        if (!form.is("AllowReassociation")) {
            throw new AwsFault(400, "Resource.AlreadyAssociated", "it is associated already");
        }
        elastic.card = card;
        elastic.privateAddress = form.require("PrivateIpAddress");
        out.value("return", true).value("associationId", "eipassoc-02bc2f9fEXAMPLE");
    }

    private void detach(Ec2Form form, Xml out) {
        String attachment = form.require("AttachmentId");
        Card card = cards.get(attachment.replace("eni-attach-", "eni-"));
        if (card == null || card.instance == null) {
            throw new AwsFault(400, "InvalidAttachmentID.NotFound", "no attachment " + attachment);
        }
        if (card.index == 0) {
            throw new AwsFault(400, "OperationNotPermitted", "The primary network interface cannot be detached");
        }
        card.detached = clock.instant().plus(DETACHING);
        out.value("return", true);
    }

    private void attach(Ec2Form form, Xml out) {
        Card card = card(form);
        if (card.instance != null) {
            throw new AwsFault(400, "InvalidNetworkInterface.InUse", card.id + " is currently in use");
        }
        card.instance = form.require("InstanceId");
        card.index = Integer.parseInt(form.require("DeviceIndex"));
        out.value("attachmentId", card.id.replace("eni-", "eni-attach-"));
    }
}
