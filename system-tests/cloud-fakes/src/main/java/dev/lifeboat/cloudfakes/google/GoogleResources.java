// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What exists in the fake project, by path such as {@code zones/Z/instances/N}. The fake holds its lock. */
final class GoogleResources {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final Pattern NAME = Pattern.compile("[a-z]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern LABEL = Pattern.compile("[-_a-z0-9]{0,63}");
    private static final Pattern FILTER = Pattern.compile("([A-Za-z.-]+)\\s*=\\s*\"?([^\"\\s)]+)\"?");

    final Map<String, ObjectNode> byPath = new LinkedHashMap<>();
    final Set<String> stuckDisks = new HashSet<>();
    private final Map<String, Instant> visibleFrom = new HashMap<>();
    private final Map<String, Instant> stagedFrom = new HashMap<>();
    private final String base;
    private final InstantSource clock;
    Consumer<GoogleInstance> onLaunch = instance -> {};
    Consumer<GoogleInstance> onTerminate = instance -> {};
    final ArrayDeque<String> nextAddresses = new ArrayDeque<>();
    private int numbers = 10;

    GoogleResources(String base, InstantSource clock) {
        this.base = base;
        this.clock = clock;
        for (String zone : List.of("europe-west3-a", "europe-west3-b")) {
            addMachineType(zone, "n2-standard-4", 4, 16384);
            addMachineType(zone, "n2-standard-8", 8, 32768);
            addMachineType(zone, "n1-standard-16", 16, 61440);
            addMachineType(zone, "c3-standard-4", 4, 16384);
            addMachineType(zone, "e2-standard-4", 4, 16384);
            addMachineType(zone, "n2d-standard-4", 4, 16384);
        }
        ObjectNode subnet = put("regions/europe-west3/subnetworks/default");
        subnet.put("ipCidrRange", "10.0.0.0/20").put("network", base + "/global/networks/default");
        subnet.putArray("secondaryIpRanges").addObject().put("rangeName", "vms").put("ipCidrRange", "10.64.0.0/16");
    }

    private void addMachineType(String zone, String name, int cpus, int memoryMb) {
        put("zones/" + zone + "/machineTypes/" + name)
                .put("guestCpus", cpus)
                .put("memoryMb", memoryMb)
                .put("architecture", "X86_64");
    }

    private ObjectNode put(String path) {
        ObjectNode json = NODES.objectNode();
        json.put("name", path.substring(path.lastIndexOf('/') + 1))
                .put("id", Long.toString(1000 + numbers++))
                .put("selfLink", base + "/" + path);
        if (path.startsWith("zones/")) {
            json.put("zone", base + "/" + path.split("/")[0] + "/" + path.split("/")[1]);
        }
        byPath.put(path, json);
        return json;
    }

    Stream<ObjectNode> in(String scope, String collection) {
        String prefix = scope + "/" + collection + "/";
        return byPath.entrySet().stream()
                .filter(e -> e.getKey().startsWith(prefix) && isVisible(e.getKey()))
                .map(Map.Entry::getValue);
    }

    List<ObjectNode> instances() {
        return byPath.entrySet().stream()
                .filter(e -> e.getKey().contains("/instances/"))
                .map(Map.Entry::getValue)
                .toList();
    }

    private boolean isVisible(String path) {
        Instant from = visibleFrom.get(path);
        return from == null || !clock.instant().isBefore(from);
    }

    ObjectNode find(GooglePath path) {
        return find(path.scope() + "/" + path.collection() + "/" + path.name());
    }

    private ObjectNode find(String path) {
        ObjectNode json = byPath.get(path);
        if (json == null || !isVisible(path)) {
            throw new GoogleFailure(
                    404,
                    "notFound",
                    "The resource '" + base.substring(base.indexOf("projects")) + "/" + path + "' was not found");
        }
        if ("PROVISIONING".equals(json.path("status").asText())
                && stagedFrom.containsKey(path)
                && !clock.instant().isBefore(stagedFrom.get(path))) {
            json.put("status", "STAGING");
        }
        return json;
    }

    ObjectNode list(GooglePath path) {
        ObjectNode answer = NODES.objectNode().put("kind", "compute#" + path.collection() + "List");
        ArrayNode items = answer.putArray("items");
        String filter = path.query().getOrDefault("filter", "");
        in(path.scope(), path.collection()).filter(r -> fits(r, filter)).forEach(items::add);
        return answer;
    }

    ObjectNode aggregated(GooglePath path) {
        ObjectNode answer = NODES.objectNode().put("kind", "compute#instanceAggregatedList");
        ObjectNode scopes = answer.putObject("items");
        String filter = path.query().getOrDefault("filter", "");
        byPath.forEach((at, json) -> {
            String[] parts = at.split("/");
            if (parts.length == 4 && parts[2].equals(path.collection()) && isVisible(at) && fits(json, filter)) {
                scopes.withObject("/" + parts[0] + "~1" + parts[1])
                        .withArray(path.collection())
                        .add(json);
            }
        });
        return answer;
    }

    private static boolean fits(JsonNode resource, String filter) {
        Matcher matcher = FILTER.matcher(filter);
        while (matcher.find()) {
            JsonNode value = resource;
            for (String part : matcher.group(1).split("\\.")) {
                value = value.path(part);
            }
            if (!value.asText().equals(matcher.group(2))) {
                return false;
            }
        }
        return true;
    }

    GoogleInstance view(ObjectNode json) {
        String userData = "";
        for (JsonNode item : json.path("metadata").path("items")) {
            if (item.path("key").asText().equals("startup-script")) {
                userData = item.path("value").asText();
            }
        }
        Map<String, String> labels = new HashMap<>();
        json.path("labels")
                .properties()
                .forEach(e -> labels.put(e.getKey(), e.getValue().asText()));
        return new GoogleInstance(
                last(json.path("zone").asText()),
                json.path("name").asText(),
                last(json.path("machineType").asText()),
                json.path("scheduling").path("provisioningModel").asText().equals("SPOT"),
                json.path("status").asText(),
                json.path("networkInterfaces").path(0).path("networkIP").asText(),
                userData,
                labels);
    }

    ObjectNode addRunning(String zone, String name, String address, Map<String, String> labels) {
        ObjectNode json = put("zones/" + zone + "/instances/" + name);
        json.put("status", "RUNNING").put("machineType", base + "/zones/" + zone + "/machineTypes/n2-standard-4");
        json.put("canIpForward", true);
        json.putObject("scheduling").put("provisioningModel", "STANDARD");
        labels.forEach(json.putObject("labels")::put);
        json.putArray("disks");
        giveInterface(json, address);
        return json;
    }

    private void giveInterface(ObjectNode json, String address) {
        json.putArray("networkInterfaces")
                .addObject()
                .put("name", "nic0")
                .put("networkIP", address)
                .put("fingerprint", fingerprint())
                .put("network", base + "/global/networks/default")
                .put("subnetwork", base + "/regions/europe-west3/subnetworks/default");
    }

    private String fingerprint() {
        return "fp" + numbers++ + "=";
    }

    void addAlias(String instanceId, String range, String rangeName) {
        nic(find(instancePath(instanceId)))
                .withArray("aliasIpRanges")
                .addObject()
                .put("ipCidrRange", range)
                .put("subnetworkRangeName", rangeName);
    }

    void addRoute(String name, String range, int priority, String instanceId) {
        put("global/routes/" + name)
                .put("destRange", range)
                .put("priority", priority)
                .put("network", base + "/global/networks/default")
                .put("nextHopInstance", base + "/" + instancePath(instanceId));
    }

    void addGarpService(String region, String name, String address, List<String> instanceIds) {
        ObjectNode service =
                put("regions/" + region + "/backendServices/" + name).put("fingerprint", fingerprint());
        ArrayNode backends = service.putArray("backends");
        for (String id : instanceIds) {
            String zone = id.split("/")[0];
            String neg = "zones/" + zone + "/networkEndpointGroups/" + name + "-" + zone;
            if (!byPath.containsKey(neg)) {
                put(neg).put("networkEndpointType", "GCE_VM_IP").putArray("endpoints");
                backends.addObject().put("group", base + "/" + neg);
            }
        }
        String zone = instanceIds.get(0).split("/")[0];
        String neg = "zones/" + zone + "/networkEndpointGroups/" + name + "-" + zone;
        byPath.get(neg)
                .withArray("endpoints")
                .addObject()
                .put("instance", base + "/" + instancePath(instanceIds.get(0)));
        ObjectNode policy = service.putObject("haPolicy").put("fastIPMove", "GARP_RA");
        ObjectNode leader = policy.putObject("leader").put("backendGroup", base + "/" + neg);
        leader.putObject("networkEndpoint").put("instance", instanceIds.get(0).split("/")[1]);
        put("regions/" + region + "/forwardingRules/" + name)
                .put("IPAddress", address)
                .put("backendService", base + "/regions/" + region + "/backendServices/" + name);
    }

    private static String instancePath(String id) {
        return "zones/" + id.replace("/", "/instances/");
    }

    private static ObjectNode nic(JsonNode instance) {
        return (ObjectNode) instance.path("networkInterfaces").path(0);
    }

    private static String last(String link) {
        return link.substring(link.lastIndexOf('/') + 1);
    }

    private static void require(boolean fulfilled, String what) {
        if (!fulfilled) {
            throw new GoogleFailure(400, "invalid", "Invalid value for field '" + what + "'");
        }
    }

    void checkNewInstance(JsonNode body) {
        require(NAME.matcher(body.path("name").asText()).matches(), "resource.name");
        require(
                body.path("machineType").asText().matches("(.*/)?zones/[^/]+/machineTypes/[^/]+"),
                "resource.machineType");
        require(body.path("networkInterfaces").size() > 0, "resource.networkInterfaces");
        require(body.path("disks").path(0).path("boot").asBoolean(), "resource.disks");
        require(
                body.path("disks").path(0).path("initializeParams").has("sourceImage"),
                "resource.disks[0].initializeParams.sourceImage");
        body.path("labels").forEach(v -> require(LABEL.matcher(v.asText()).matches(), "resource.labels"));
        JsonNode scheduling = body.path("scheduling");
        long noticeSeconds =
                scheduling.path("preemptionNoticeDuration").path("seconds").asLong();
        boolean spot = scheduling.path("provisioningModel").asText().equals("SPOT");
        require(noticeSeconds == 0 || noticeSeconds == 120 && spot, "resource.scheduling.preemptionNoticeDuration");
        require(
                !spot || scheduling.path("onHostMaintenance").asText().equals("TERMINATE"),
                "resource.scheduling.onHostMaintenance");
        String type = last(body.path("machineType").asText());
        require(
                !body.path("advancedMachineFeatures")
                                .path("enableNestedVirtualization")
                                .asBoolean()
                        || type.matches("(n1|n2|c2|c3|n4|c4)-.*"),
                "resource.advancedMachineFeatures.enableNestedVirtualization");
    }

    Runnable insertInstance(GooglePath path, JsonNode body, GoogleTiming timing) {
        checkNewInstance(body);
        String zone = path.place();
        String at = path.scope() + "/instances/" + body.path("name").asText();
        if (byPath.containsKey(at)) {
            throw new GoogleFailure(409, "alreadyExists", "The resource '" + at + "' already exists");
        }
        String type = last(body.path("machineType").asText());
        if (!byPath.containsKey("zones/" + zone + "/machineTypes/" + type)) {
            throw new GoogleFailure(
                    400, "invalid", "Invalid value for field 'resource.machineType': '" + type + "' does not exist");
        }
        ObjectNode json = put(at);
        json.setAll((ObjectNode) body.deepCopy());
        json.put("status", "PROVISIONING").put("machineType", base + "/zones/" + zone + "/machineTypes/" + type);
        json.put("labelFingerprint", fingerprint());
        String planned = nextAddresses.poll();
        giveInterface(json, planned != null ? planned : "10.0.0." + numbers++);
        visibleFrom.put(at, clock.instant().plus(timing.visible()));
        stagedFrom.put(at, clock.instant().plus(timing.staging()));
        onLaunch.accept(view(json));
        return () -> json.put("status", "RUNNING");
    }

    boolean isStuck(String call, GooglePath path, JsonNode body) {
        return switch (call) {
            case "instances.attachDisk" ->
                stuckDisks.contains(last(body.path("source").asText()));
            case "instances.detachDisk" -> stuckDisks.contains(path.query().getOrDefault("deviceName", ""));
            default -> false;
        };
    }

    /** @return what happens when the operation is done */
    Runnable change(String call, GooglePath path, JsonNode body, GoogleTiming timing) {
        String here = path.scope() + "/" + path.collection() + "/";
        return switch (call) {
            case "disks.insert" -> insertDisk(path, body, timing);
            case "disks.delete" -> deleteDisk(find(path), here + path.name());
            case "instances.delete" -> {
                ObjectNode instance = find(path);
                onTerminate.accept(view(instance));
                instance.put("status", "STOPPING");
                yield () -> byPath.remove(here + path.name());
            }
            case "instances.stop" -> {
                ObjectNode instance = find(path);
                onTerminate.accept(view(instance));
                instance.put("status", "STOPPING");
                yield () -> instance.put("status", "TERMINATED");
            }
            case "instances.start" -> {
                ObjectNode instance = find(path);
                onLaunch.accept(view(instance));
                instance.put("status", "STAGING");
                yield () -> instance.put("status", "RUNNING");
            }
            case "instances.simulateMaintenanceEvent" -> {
                onTerminate.accept(view(find(path)));
                yield () -> find(path).put("status", "TERMINATED");
            }
            case "instances.attachDisk" -> attach(find(path), body);
            case "instances.detachDisk" -> detach(find(path), path.query().getOrDefault("deviceName", ""));
            case "instances.updateNetworkInterface" -> updateInterface(find(path), path, body);
            case "routes.insert" -> insertRoute(body);
            case "routes.delete" -> {
                find(path);
                yield () -> byPath.remove(here + path.name());
            }
            case "regionBackendServices.patch" -> patchService(find(path), body);
            case "networkEndpointGroups.attachNetworkEndpoints" -> {
                ObjectNode neg = find(path);
                yield () -> body.path("networkEndpoints")
                        .forEach(e -> neg.withArray("endpoints")
                                .addObject()
                                .put(
                                        "instance",
                                        base + "/" + path.scope() + "/instances/"
                                                + last(e.path("instance").asText())));
            }
            default -> throw new GoogleFailure(404, "notFound", "no such method: " + call);
        };
    }

    private Runnable insertDisk(GooglePath path, JsonNode body, GoogleTiming timing) {
        require(NAME.matcher(body.path("name").asText()).matches(), "resource.name");
        require(body.path("sizeGb").asLong() > 0, "resource.sizeGb");
        String type = last(body.path("type").asText());
        require(
                !body.path("accessMode").asText().equals("READ_WRITE_MANY") || type.startsWith("hyperdisk-"),
                "resource.accessMode");
        String at = path.scope() + "/disks/" + body.path("name").asText();
        if (byPath.containsKey(at)) {
            throw new GoogleFailure(409, "alreadyExists", "The resource '" + at + "' already exists");
        }
        ObjectNode json = put(at);
        json.setAll((ObjectNode) body.deepCopy());
        json.put("status", "CREATING");
        visibleFrom.put(at, clock.instant().plus(timing.visible()));
        return () -> json.put("status", "READY");
    }

    private Runnable deleteDisk(ObjectNode disk, String at) {
        if (disk.path("users").size() > 0) {
            throw new GoogleFailure(
                    400, "resourceInUseByAnotherResource", "The disk resource '" + at + "' is already being used");
        }
        return () -> byPath.remove(at);
    }

    private Runnable attach(ObjectNode instance, JsonNode body) {
        String source = body.path("source").asText();
        require(!body.path("deviceName").asText().isEmpty(), "resource.deviceName");
        ObjectNode disk = find(source.substring(source.indexOf("zones/")));
        if (disk.path("users").size() > 0 && !disk.path("accessMode").asText().equals("READ_WRITE_MANY")) {
            throw new GoogleFailure(
                    400, "resourceInUseByAnotherResource", "The disk resource '" + source + "' is already being used");
        }
        return () -> {
            disk.withArray("users").add(instance.path("selfLink").asText());
            ObjectNode attached = instance.withArray("disks").addObject();
            attached.setAll((ObjectNode) body.deepCopy());
            attached.put("source", disk.path("selfLink").asText());
        };
    }

    private Runnable detach(ObjectNode instance, String deviceName) {
        for (JsonNode attached : instance.path("disks")) {
            if (attached.path("deviceName").asText().equals(deviceName)) {
                String source = attached.path("source").asText();
                return () -> {
                    remove(instance.withArray("disks"), d -> d == attached);
                    ObjectNode disk = find(source.substring(source.indexOf("zones/")));
                    String user = instance.path("selfLink").asText();
                    remove(disk.withArray("users"), u -> u.asText().equals(user));
                };
            }
        }
        throw new GoogleFailure(400, "invalid", "No attached disk found with device name '" + deviceName + "'");
    }

    private static void remove(ArrayNode from, java.util.function.Predicate<JsonNode> which) {
        for (int i = from.size() - 1; i >= 0; i--) {
            if (which.test(from.get(i))) {
                from.remove(i);
            }
        }
    }

    /** A field that is not in the body stays, as with every PATCH: an empty list must be written out. */
    private Runnable updateInterface(ObjectNode instance, GooglePath path, JsonNode body) {
        ObjectNode nic = nic(instance);
        require(nic.path("name").asText().equals(path.query().get("networkInterface")), "networkInterface");
        checkFingerprint(nic, body);
        nic.put("fingerprint", fingerprint());
        return () -> {
            if (body.has("aliasIpRanges")) {
                nic.set("aliasIpRanges", body.get("aliasIpRanges").deepCopy());
            }
        };
    }

    private static void checkFingerprint(ObjectNode resource, JsonNode body) {
        if (!resource.path("fingerprint")
                .asText()
                .equals(body.path("fingerprint").asText())) {
            throw new GoogleFailure(412, "conditionNotMet", "Invalid fingerprint.");
        }
    }

    private Runnable insertRoute(JsonNode body) {
        require(NAME.matcher(body.path("name").asText()).matches(), "resource.name");
        require(body.path("destRange").asText().contains("/"), "resource.destRange");
        require(!body.path("network").asText().isEmpty(), "resource.network");
        String hop = body.path("nextHopInstance").asText();
        require(hop.contains("zones/"), "resource.nextHopInstance");
        ObjectNode target = find(hop.substring(hop.indexOf("zones/")));
        require(target.path("canIpForward").asBoolean(), "resource.nextHopInstance");
        String at = "global/routes/" + body.path("name").asText();
        if (byPath.containsKey(at)) {
            throw new GoogleFailure(409, "alreadyExists", "The resource '" + at + "' already exists");
        }
        return () -> put(at).setAll((ObjectNode) body.deepCopy());
    }

    private Runnable patchService(ObjectNode service, JsonNode body) {
        checkFingerprint(service, body);
        service.put("fingerprint", fingerprint());
        JsonNode leader = body.path("haPolicy").path("leader");
        String group = leader.path("backendGroup").asText();
        String instance = leader.path("networkEndpoint").path("instance").asText();
        ObjectNode neg = find(group.substring(group.indexOf("zones/")));
        boolean member = false;
        for (JsonNode endpoint : neg.path("endpoints")) {
            member |= last(endpoint.path("instance").asText()).equals(instance);
        }
        require(member, "resource.haPolicy.leader.networkEndpoint.instance");
        return () -> service.set("haPolicy", body.path("haPolicy").deepCopy());
    }

    ObjectNode endpoints(GooglePath path) {
        ObjectNode answer = NODES.objectNode().put("kind", "compute#networkEndpointGroupsListNetworkEndpoints");
        ArrayNode items = answer.putArray("items");
        find(path).path("endpoints").forEach(e -> items.addObject().set("networkEndpoint", e));
        return answer;
    }
}
