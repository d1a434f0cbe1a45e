// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/** Instances, launch templates, and what can be bought. Guarded by its {@link AwsFake}. */
final class FakeHosts {
    private record Size(String name, int vcpus, long memoryMib, boolean nested) {}

    private static final List<Size> SIZES = List.of(
            new Size("c8i.large", 2, 4096, true),
            new Size("m8i.large", 2, 8192, true),
            new Size("r8i.large", 2, 16384, true),
            new Size("m8i.xlarge", 4, 16384, true),
            new Size("m8i.8xlarge", 32, 131072, true),
            new Size("m7i.large", 2, 8192, false));
    private static final Map<String, String> ZONES =
            new TreeMap<>(Map.of("eu-central-1a", "euc1-az2", "eu-central-1b", "euc1-az3"));

    /** What is kept of an instance. */
    static final class Host {
        final String id;
        final String size;
        final String zone;
        final boolean spot;
        final String address;
        final String userData;
        final Map<String, String> tags;
        final Instant launched;
        /** Volumes by device name. */
        final Map<String, String> devices = new TreeMap<>(Map.of("/dev/sda1", "vol-00000000000000001"));

        String state = "running";

        Host(
                String id,
                String size,
                String zone,
                boolean spot,
                String address,
                String userData,
                Map<String, String> tags,
                Instant launched) {
            this.id = id;
            this.size = size;
            this.zone = zone;
            this.spot = spot;
            this.address = address;
            this.userData = userData;
            this.tags = tags;
            this.launched = launched;
        }
    }

    private record Bought(Map<String, String> parameters, String answer) {}

    private final InstantSource clock;
    private final FakeNetwork network;
    private final Map<String, Host> hosts = new LinkedHashMap<>();
    private final Map<String, Ec2Form> templates = new TreeMap<>();
    private final Map<String, Instant> templatesMade = new HashMap<>();
    private final Map<String, Bought> fleets = new HashMap<>();
    final Map<String, String> refused = new HashMap<>();
    Duration pendingFor = Duration.ZERO;
    Duration unknownFor = Duration.ZERO;
    Consumer<FakeInstance> launched = instance -> {};
    final ArrayDeque<String> nextAddresses = new ArrayDeque<>();
    Consumer<FakeInstance> terminated = instance -> {};
    private int number;

    FakeHosts(InstantSource clock, FakeNetwork network) {
        this.clock = clock;
        this.network = network;
    }

    boolean answer(String action, Ec2Form form, Xml out) {
        switch (action) {
            case "CreateLaunchTemplate" -> createTemplate(form, out);
            case "DescribeLaunchTemplates" -> describeTemplates(form, out);
            case "DeleteLaunchTemplate" -> deleteTemplate(form, out);
            case "CreateFleet" -> createFleet(form, out);
            case "RunInstances" ->
                throw new AwsFault(400, "UnsupportedOperation", "this fake sells by CreateFleet only");
            case "DescribeInstances" -> describe(form, out);
            case "TerminateInstances" -> change(form, out, "terminated");
            case "StopInstances" -> change(form, out, "stopped");
            case "StartInstances" -> change(form, out, "running");
            case "DescribeInstanceTypes" -> types(form, out);
            case "DescribeInstanceTypeOfferings" -> offerings(form, out);
            case "DescribeAvailabilityZones" ->
                out.items(
                        "availabilityZoneInfo",
                        ZONES.entrySet(),
                        (xml, zone) -> xml.value("zoneName", zone.getKey())
                                .value("zoneId", zone.getValue())
                                .value("zoneState", "available")
                                .value("regionName", AwsFake.REGION));
            case "DescribeSpotPriceHistory" -> prices(form, out);
            case "GetSpotPlacementScores" -> scores(form, out);
            default -> {
                return false;
            }
        }
        return true;
    }

    private void createTemplate(Ec2Form form, Xml out) {
        String name = form.require("LaunchTemplateName");
        form.require("LaunchTemplateData.ImageId");
        if (!form.require("LaunchTemplateData.CpuOptions.NestedVirtualization").equals("enabled")) {
            throw new AwsFault(400, "InvalidParameterValue", "a host of microVMs must nest");
        }
        templatesMade.putIfAbsent(name, clock.instant());
        if (templates.putIfAbsent(name, form) != null) {
            throw new AwsFault(
                    400, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.");
        }
        out.in("launchTemplate", xml -> template(xml, name));
    }

    private void deleteTemplate(Ec2Form form, Xml out) {
        String name = form.require("LaunchTemplateName");
        templatesMade.remove(name);
        if (templates.remove(name) == null) {
            throw new AwsFault(
                    400, "InvalidLaunchTemplateName.NotFoundException", "no launch template has the name " + name);
        }
        out.in("launchTemplate", xml -> template(xml, name));
    }

    private void describeTemplates(Ec2Form form, Xml out) {
        Map<String, List<String>> filters = form.filters();
        List<String> found = templates.entrySet().stream()
                .filter(template -> filters.entrySet().stream().allMatch(filter -> {
                    if (!filter.getKey().startsWith("tag:")) {
                        throw new AwsFault(
                                400, "InvalidParameterValue", "The filter '" + filter.getKey() + "' is invalid");
                    }
                    String value = template.getValue()
                            .tags("launch-template")
                            .get(filter.getKey().substring(4));
                    return filter.getValue().contains(value);
                }))
                .map(Map.Entry::getKey)
                .toList();
        out.items("launchTemplates", found, (xml, name) -> {
            template(xml, name);
            xml.value("createTime", templatesMade.get(name).toString());
        });
    }

    private static void template(Xml xml, String name) {
        xml.value("launchTemplateId", "lt-0a20c965061f64abc")
                .value("launchTemplateName", name)
                .value("defaultVersionNumber", 1)
                .value("latestVersionNumber", 1);
    }

    int templates() {
        return templates.size();
    }

    private void createFleet(Ec2Form form, Xml out) {
        String token = form.require("ClientToken");
        if (!form.require("Type").equals("instant")) {
            throw new AwsFault(400, "InvalidParameterValue", "only fleets of type instant answer with instances");
        }
        Bought before = fleets.get(token);
        if (before == null) {
            Xml answer = new Xml();
            buy(form, answer);
            before = new Bought(form.fields(), answer.toString());
            fleets.put(token, before);
        } else if (!before.parameters().equals(form.fields())) {
            throw new AwsFault(
                    400, "IdempotentParameterMismatch", "The client token was used with other parameters before.");
        }
        out.raw(before.answer());
    }

    private void buy(Ec2Form form, Xml answer) {
        String config = "LaunchTemplateConfigs.1.";
        Ec2Form template = templates.get(form.require(config + "LaunchTemplateSpecification.LaunchTemplateName"));
        form.require(config + "LaunchTemplateSpecification.Version");
        if (template == null) {
            throw new AwsFault(400, "InvalidLaunchTemplateName.NotFoundException", "no such launch template");
        }
        if (!form.require("TargetCapacitySpecification.TotalTargetCapacity").equals("1")) {
            throw new AwsFault(400, "InvalidParameterValue", "one host at a time");
        }
        boolean spot = form.require("TargetCapacitySpecification.DefaultTargetCapacityType")
                .equals("spot");
        List<Ec2Form> failed = new ArrayList<>();
        Host made = null;
        Ec2Form taken = null;
        for (Ec2Form override : form.members(config + "Overrides")) {
            if (code(override, spot).isEmpty()) {
                taken = override;
                made = launch(override, spot, template, form.tags("instance"));
                break;
            }
            failed.add(override);
        }
        answer.value("fleetId", "fleet-12a34b55-67cd-8ef9-ba9b-9208dEXAMPLE");
        String lifecycle = spot ? "spot" : "on-demand";
        answer.items(
                "errorSet",
                failed,
                (xml, override) -> overrides(xml, override)
                        .value("lifecycle", lifecycle)
                        .value("errorCode", code(override, spot))
                        .value("errorMessage", "There is no Spot capacity available that matches your request."));
        Host host = made;
        answer.items(
                "fleetInstanceSet",
                host == null ? List.<Ec2Form>of() : List.of(taken),
                (xml, override) -> overrides(xml, override)
                        .value("lifecycle", lifecycle)
                        .in("instanceIds", ids -> ids.value("item", host.id))
                        .value("instanceType", host.size)
                        .value("availabilityZone", host.zone));
    }

    private static Xml overrides(Xml xml, Ec2Form override) {
        return xml.in(
                "launchTemplateAndOverrides",
                both -> both.in(
                                "launchTemplateSpecification",
                                spec -> spec.value("launchTemplateId", "lt-0a20c965061f64abc")
                                        .value("version", "1"))
                        .in(
                                "overrides",
                                inner -> inner.value("instanceType", override.require("InstanceType"))
                                        .value("subnetId", override.require("SubnetId"))));
    }

    /** Why an offer cannot be had: by size, by {@code spot SIZE}, or all. */
    private String code(Ec2Form override, boolean spot) {
        String size = override.require("InstanceType");
        if (SIZES.stream().noneMatch(known -> known.name().equals(size) && known.nested())) {
            return "InvalidParameterValue";
        }
        for (String key : List.of(size, (spot ? "spot " : "on-demand ") + size, spot ? "spot *" : "on-demand *", "*")) {
            if (refused.containsKey(key)) {
                return refused.get(key);
            }
        }
        return "";
    }

    private Host launch(Ec2Form override, boolean spot, Ec2Form template, Map<String, String> tags) {
        if (!tags.containsKey("lifeboat:fleet") || !tags.containsKey("lifeboat:token")) {
            throw new AwsFault(400, "InvalidParameterValue", "a host without the tags of its fleet and token");
        }
        String zone = override.require("SubnetId").endsWith("b") ? "eu-central-1b" : "eu-central-1a";
        String userData = new String(
                Base64.getDecoder().decode(template.require("LaunchTemplateData.UserData")), StandardCharsets.UTF_8);
        number++;
        String planned = nextAddresses.poll();
        Host host = new Host(
                id(number),
                override.require("InstanceType"),
                zone,
                spot,
                planned != null ? planned : "10.0." + (zone.endsWith("b") ? 2 : 1) + "." + (100 + number),
                userData,
                tags,
                clock.instant());
        hosts.put(host.id, host);
        network.addFirst(host);
        launched.accept(view(host));
        return host;
    }

    FakeInstance add(String size, String zone, String address, Map<String, String> tags) {
        number++;
        Host host = new Host(id(number), size, zone, true, address, "", tags, Instant.EPOCH);
        hosts.put(host.id, host);
        network.addFirst(host);
        return view(host);
    }

    private static String id(int number) {
        return String.format("i-%017x", 0xabc0000 + number);
    }

    List<FakeInstance> all() {
        return hosts.values().stream().map(this::view).toList();
    }

    private FakeInstance view(Host host) {
        return new FakeInstance(
                host.id, host.size, host.zone, host.spot, state(host), host.address, host.userData, host.tags);
    }

    private String state(Host host) {
        boolean pending = clock.instant().isBefore(host.launched.plus(pendingFor));
        return host.state.equals("running") && pending ? "pending" : host.state;
    }

    private boolean isKnown(Host host) {
        return !clock.instant().isBefore(host.launched.plus(unknownFor));
    }

    /** As any call names it. */
    Host get(String id) {
        Host host = hosts.get(id);
        if (host == null || !isKnown(host)) {
            throw new AwsFault(400, "InvalidInstanceID.NotFound", "The instance ID '" + id + "' does not exist");
        }
        return host;
    }

    private void describe(Ec2Form form, Xml out) {
        List<Host> found = form.list("InstanceId").isEmpty()
                ? hosts.values().stream().filter(this::isKnown).toList()
                : form.list("InstanceId").stream().map(this::get).toList();
        Map<String, List<String>> filters = form.filters();
        List<Host> wanted = found.stream().filter(host -> fits(host, filters)).toList();
        out.items(
                "reservationSet",
                wanted,
                (reservation, host) -> reservation
                        .value("reservationId", "r-1234567890abcdef0")
                        .value("ownerId", FakeExperiments.ACCOUNT)
                        .items("instancesSet", List.of(host), this::instance));
    }

    private boolean fits(Host host, Map<String, List<String>> filters) {
        return filters.entrySet().stream().allMatch(filter -> {
            String name = filter.getKey();
            if (name.startsWith("tag:")) {
                return filter.getValue().contains(host.tags.get(name.substring(4)));
            } else if (name.equals("instance-state-name")) {
                return filter.getValue().contains(state(host));
            }
            throw new AwsFault(400, "InvalidParameterValue", "The filter '" + name + "' is invalid");
        });
    }

    private void instance(Xml xml, Host host) {
        String state = state(host);
        xml.value("instanceId", host.id)
                .in("instanceState", inner -> inner.value("code", code(state)).value("name", state))
                .value("instanceType", host.size)
                .in("placement", inner -> inner.value("availabilityZone", host.zone));
        if (!state.equals("terminated")) {
            xml.value("privateIpAddress", host.address);
        }
        if (host.spot) {
            xml.value("instanceLifecycle", "spot");
        }
        xml.items(
                        "blockDeviceMapping",
                        host.devices.entrySet(),
                        (mapping, device) -> mapping.value("deviceName", device.getKey())
                                .in(
                                        "ebs",
                                        ebs -> ebs.value("volumeId", device.getValue())
                                                .value("status", "attached")))
                .tags(host.tags);
    }

    private static int code(String state) {
        return switch (state) {
            case "pending" -> 0;
            case "running" -> 16;
            case "terminated" -> 48;
            default -> 80;
        };
    }

    private void change(Ec2Form form, Xml out, String next) {
        List<Host> named = form.list("InstanceId").stream().map(this::get).toList();
        for (Host host : named) {
            boolean ends = host.state.equals("terminated") && !next.equals("terminated");
            if (ends) {
                throw new AwsFault(400, "IncorrectInstanceState", "The instance '" + host.id + "' is terminated");
            } else if (host.spot && next.equals("stopped")) {
                throw new AwsFault(400, "UnsupportedOperation", "You can't stop the Spot Instance '" + host.id + "'");
            }
            boolean began = !host.state.equals(next);
            host.state = next;
            if (began && next.equals("terminated")) {
                terminated.accept(view(host));
            }
        }
        out.items(
                "instancesSet",
                named,
                (xml, host) -> xml.value("instanceId", host.id)
                        .in(
                                "currentState",
                                inner -> inner.value("code", code(next)).value("name", next)));
    }

    private void types(Ec2Form form, Xml out) {
        boolean nested = form.filters()
                .getOrDefault("processor-info.supported-features", List.of())
                .contains("nested-virtualization");
        out.items(
                "instanceTypeSet",
                SIZES.stream().filter(size -> size.nested() || !nested).toList(),
                (xml, size) -> xml.value("instanceType", size.name())
                        .value("currentGeneration", true)
                        .in("vCpuInfo", inner -> inner.value("defaultVCpus", size.vcpus()))
                        .in("memoryInfo", inner -> inner.value("sizeInMiB", size.memoryMib())));
    }

    private void offerings(Ec2Form form, Xml out) {
        if (!form.require("LocationType").equals("availability-zone")) {
            throw new AwsFault(400, "InvalidParameterValue", "zones are meant");
        }
        List<String[]> offered = new ArrayList<>();
        for (Size size : SIZES) {
            // One that only one zone has.
            ZONES.keySet().stream()
                    .filter(zone -> !size.name().equals("r8i.large") || zone.endsWith("a"))
                    .forEach(zone -> offered.add(new String[] {size.name(), zone}));
        }
        out.items(
                "instanceTypeOfferingSet",
                offered,
                (xml, pair) -> xml.value("instanceType", pair[0])
                        .value("locationType", "availability-zone")
                        .value("location", pair[1]));
    }

    private void prices(Ec2Form form, Xml out) {
        List<String[]> known = new ArrayList<>();
        for (String size : form.list("InstanceType")) {
            ZONES.keySet().forEach(zone -> known.add(new String[] {size, zone}));
        }
        out.items(
                "spotPriceHistorySet",
                known,
                (xml, pair) -> xml.value("instanceType", pair[0])
                        .value("productDescription", "Linux/UNIX")
                        .value("spotPrice", pair[0].startsWith("c8i") ? "0.031000" : "0.042000")
                        .value("timestamp", "2026-11-27T12:00:00.000Z")
                        .value("availabilityZone", pair[1]));
    }

    private void scores(Ec2Form form, Xml out) {
        form.require("TargetCapacity");
        if (form.list("InstanceType").isEmpty()) {
            throw new AwsFault(400, "MissingParameter", "no instance types");
        }
        out.items(
                "spotPlacementScoreSet",
                ZONES.entrySet(),
                (xml, zone) -> xml.value("region", AwsFake.REGION)
                        .value("availabilityZoneId", zone.getValue())
                        .value("score", zone.getKey().endsWith("b") ? 9 : 3));
    }
}
