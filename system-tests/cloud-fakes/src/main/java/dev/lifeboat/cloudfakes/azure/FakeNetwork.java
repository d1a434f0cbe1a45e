// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import static dev.lifeboat.cloudfakes.azure.AzureFake.required;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Microsoft.Network: interfaces, route tables, load balancers. Under the fake's lock. */
final class FakeNetwork {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PROVIDER = "Microsoft.Network";

    final ArrayDeque<String> nextAddresses = new ArrayDeque<>();
    Duration operationTime = Duration.ZERO;

    private final AzureFake fake;
    private final Timeline timeline;
    private final Operations operations;
    private final Map<String, ObjectNode> resources = new LinkedHashMap<>();
    private int lastHost = 9;

    FakeNetwork(AzureFake fake, Timeline timeline, Operations operations) {
        this.fake = fake;
        this.timeline = timeline;
        this.operations = operations;
    }

    FakeAnswer answer(FakeRequest request, ArmPath path, String apiVersion, JsonNode body) {
        if (request.method().equals("GET")) {
            return get(path);
        }
        if (!request.method().equals("PUT")) {
            throw new ArmError(405, "MethodNotAllowed", request.method() + " of " + path.type());
        }
        if (path.is(PROVIDER, "networkInterfaces")) {
            return putInterface(request, path, apiVersion, body);
        }
        if (path.is(PROVIDER, "routeTables/routes")) {
            return putRoute(request, path, apiVersion, body);
        }
        throw ArmError.notFound(request.path());
    }

    private FakeAnswer get(ArmPath path) {
        if (path.isList()) {
            String part = ArmPath.key("/providers/" + PROVIDER + "/" + path.type() + "/");
            return AzureFake.list(resources.entrySet().stream()
                    .filter(each -> each.getKey().contains(part))
                    .map(Map.Entry::getValue)
                    .toList());
        }
        if (path.is(PROVIDER, "virtualNetworks/subnets")) {
            ObjectNode subnet =
                    JSON.createObjectNode().put("id", AzureFake.SUBNET).put("name", "hosts");
            subnet.putObject("properties").put("provisioningState", "Succeeded").put("addressPrefix", "10.0.0.0/24");
            return FakeAnswer.json(200, subnet.toString());
        }
        String id = AzureFake.id(PROVIDER, path.type(), path.name());
        return FakeAnswer.json(200, existing(id).toString());
    }

    private FakeAnswer putInterface(FakeRequest request, ArmPath path, String apiVersion, JsonNode body) {
        ObjectNode old = existing(AzureFake.id(PROVIDER, path.type(), path.name()));
        checkEtag(request, old);
        required(body, "location");
        for (JsonNode each : required(body, "properties.ipConfigurations")) {
            required(each, "name");
            required(each, "properties.subnet.id");
            String address = each.at("/properties/privateIPAddress").asText();
            if (each.at("/properties/privateIPAllocationMethod").asText().equals("Static")) {
                required(each, "properties.privateIPAddress");
            }
            holderOf(address).filter(holder -> holder != old).ifPresent(holder -> {
                throw new ArmError(
                        400,
                        "PrivateIPAddressInUse",
                        "IP configuration " + each.path("name").asText() + " is using the private IP address " + address
                                + " which is already allocated to resource "
                                + holder.path("id").asText() + ".");
            });
        }
        ObjectNode changed = (ObjectNode) body.deepCopy();
        // What a caller cannot write stays as it was.
        for (String field : List.of("id", "name", "type")) {
            changed.set(field, old.get(field));
        }
        ObjectNode properties = (ObjectNode) changed.get("properties");
        for (String field : List.of("virtualMachine", "macAddress", "primary", "resourceGuid")) {
            if (old.path("properties").has(field)) {
                properties.set(field, old.path("properties").get(field));
            }
        }
        return begin(changed, apiVersion);
    }

    private FakeAnswer putRoute(FakeRequest request, ArmPath path, String apiVersion, JsonNode body) {
        ObjectNode table =
                existing(AzureFake.id(PROVIDER, "routeTables", path.names().get(0)));
        required(body, "properties.addressPrefix");
        if (required(body, "properties.nextHopType").asText().equals("VirtualAppliance")) {
            required(body, "properties.nextHopIpAddress");
        }
        ArrayNode routes = (ArrayNode) table.path("properties").get("routes");
        ObjectNode route = null;
        for (JsonNode each : routes) {
            if (each.path("name").asText().equalsIgnoreCase(path.name())) {
                route = (ObjectNode) each;
            }
        }
        if (route == null) {
            route = routes.addObject().put("name", path.name()).put("id", request.path());
        }
        checkEtag(request, route);
        route.set("properties", body.get("properties").deepCopy());
        return begin(route, apiVersion);
    }

    private FakeAnswer begin(ObjectNode changed, String apiVersion) {
        Instant now = fake.now();
        ObjectNode properties = (ObjectNode) changed.get("properties");
        changed.put("etag", "W/\"" + UUID.randomUUID() + "\"");
        properties.put("provisioningState", "Updating");
        if (changed.path("id").asText().contains("/networkInterfaces/")) {
            resources.put(ArmPath.key(changed.get("id").asText()), changed);
        }
        Operations.Operation operation = operations.start(
                AzureFake.SUBSCRIPTION, PROVIDER + "/locations/" + AzureFake.LOCATION + "/operations", now);
        timeline.at(now.plus(operationTime), () -> {
            properties.put("provisioningState", "Succeeded");
            operation.succeed(fake.now());
        });
        Map<String, String> headers = new LinkedHashMap<>(operation.headers(fake.url(), apiVersion));
        headers.put("Content-Type", "application/json");
        return new FakeAnswer(200, headers, changed.toString());
    }

    private static void checkEtag(FakeRequest request, ObjectNode old) {
        request.header("If-Match").ifPresent(wanted -> {
            if (!wanted.equals(old.path("etag").asText())) {
                throw new ArmError(
                        412,
                        "PreconditionFailed",
                        "Precondition failed. Etag provided in if-match header " + wanted + " does not match etag "
                                + old.path("etag").asText() + " of resource.");
            }
        });
    }

    /** Creates the interface that a machine's own request describes; refuses what the network's API would. */
    String createInterface(String machineId, JsonNode configuration) {
        String name = required(configuration, "name").asText();
        JsonNode ip = required(configuration, "properties.ipConfigurations").get(0);
        String subnet = required(ip, "properties.subnet.id").asText();
        if (!subnet.equalsIgnoreCase(AzureFake.SUBNET)) {
            throw new ArmError(400, "InvalidResourceReference", "Resource " + subnet + " was not found.");
        }
        return addInterface(
                machineId,
                name,
                ip.path("name").asText(),
                freeAddress(),
                configuration.at("/properties/enableIPForwarding").asBoolean());
    }

    String addInterface(String machineId, String name, String ipName, String address, boolean forwarding) {
        String id = AzureFake.id(PROVIDER, "networkInterfaces", name);
        ObjectNode nic = JSON.createObjectNode()
                .put("name", name)
                .put("id", id)
                .put("etag", "W/\"" + UUID.randomUUID() + "\"")
                .put("type", "Microsoft.Network/networkInterfaces")
                .put("location", AzureFake.LOCATION);
        ObjectNode properties = nic.putObject("properties");
        properties.put("provisioningState", "Succeeded");
        ArrayNode all = properties.putArray("ipConfigurations");
        addIp(all, id, ipName, address, "Dynamic", true);
        properties.put("enableIPForwarding", forwarding);
        properties.put("enableAcceleratedNetworking", false);
        properties.put("macAddress", "00-0D-3A-00-00-" + String.format("%02X", resources.size()));
        properties.put("primary", true);
        properties.putObject("virtualMachine").put("id", machineId);
        resources.put(ArmPath.key(id), nic);
        return id;
    }

    void addIpConfiguration(String nicId, String name, String address) {
        ObjectNode nic = existing(nicId);
        addIp((ArrayNode) nic.path("properties").get("ipConfigurations"), nicId, name, address, "Static", false);
    }

    private static void addIp(
            ArrayNode all, String nicId, String name, String address, String allocation, boolean primary) {
        ObjectNode ip = all.addObject().put("name", name).put("id", nicId + "/ipConfigurations/" + name);
        ObjectNode properties = ip.putObject("properties");
        properties.put("provisioningState", "Succeeded");
        properties.put("privateIPAddress", address);
        properties.put("privateIPAllocationMethod", allocation);
        properties.putObject("subnet").put("id", AzureFake.SUBNET);
        properties.put("primary", primary);
        properties.put("privateIPAddressVersion", "IPv4");
    }

    void addRouteTable(String table, String route, String prefix, String nextHop) {
        String id = AzureFake.id(PROVIDER, "routeTables", table);
        ObjectNode made = JSON.createObjectNode()
                .put("name", table)
                .put("id", id)
                .put("type", "Microsoft.Network/routeTables")
                .put("etag", "W/\"" + UUID.randomUUID() + "\"")
                .put("location", AzureFake.LOCATION);
        ObjectNode one = made.putObject("properties")
                .put("provisioningState", "Succeeded")
                .putArray("routes")
                .addObject()
                .put("name", route)
                .put("id", id + "/routes/" + route)
                .put("etag", "W/\"" + UUID.randomUUID() + "\"");
        one.putObject("properties")
                .put("provisioningState", "Succeeded")
                .put("addressPrefix", prefix)
                .put("nextHopType", "VirtualAppliance")
                .put("nextHopIpAddress", nextHop);
        resources.put(ArmPath.key(id), made);
    }

    void addLoadBalancer(String name, String frontend, String nicId) {
        String id = AzureFake.id(PROVIDER, "loadBalancers", name);
        ObjectNode made = JSON.createObjectNode()
                .put("name", name)
                .put("id", id)
                .put("type", "Microsoft.Network/loadBalancers")
                .put("location", AzureFake.LOCATION);
        ObjectNode properties = made.putObject("properties").put("provisioningState", "Succeeded");
        String frontendId = id + "/frontendIPConfigurations/front";
        String poolId = id + "/backendAddressPools/pool";
        ObjectNode front =
                properties.putArray("frontendIPConfigurations").addObject().put("name", "front");
        front.put("id", frontendId).putObject("properties").put("privateIPAddress", frontend);
        properties
                .putArray("backendAddressPools")
                .addObject()
                .put("name", "pool")
                .put("id", poolId);
        ObjectNode rule = properties.putArray("loadBalancingRules").addObject().put("name", "all");
        ObjectNode ruleProperties =
                rule.put("id", id + "/loadBalancingRules/all").putObject("properties");
        ruleProperties.putObject("frontendIPConfiguration").put("id", frontendId);
        ruleProperties.putObject("backendAddressPool").put("id", poolId);
        ruleProperties.put("protocol", "All").put("frontendPort", 0).put("backendPort", 0);
        resources.put(ArmPath.key(id), made);
        ObjectNode ip = (ObjectNode) existing(nicId).at("/properties/ipConfigurations/0/properties");
        ip.putArray("loadBalancerBackendAddressPools").addObject().put("id", poolId);
    }

    void delete(String id) {
        resources.remove(ArmPath.key(id));
    }

    String addressOf(String nicId) {
        return Optional.ofNullable(resources.get(ArmPath.key(nicId)))
                .map(nic -> nic.at("/properties/ipConfigurations/0/properties/privateIPAddress")
                        .asText())
                .orElse("");
    }

    Optional<ObjectNode> find(String idOrName) {
        return resources.values().stream()
                .filter(each -> each.path("id").asText().equalsIgnoreCase(idOrName)
                        || each.path("name").asText().equalsIgnoreCase(idOrName))
                .findFirst();
    }

    private ObjectNode existing(String id) {
        ObjectNode found = resources.get(ArmPath.key(id));
        if (found == null) {
            throw ArmError.notFound(id);
        }
        return found;
    }

    private Optional<ObjectNode> holderOf(String address) {
        for (ObjectNode each : resources.values()) {
            for (JsonNode ip : each.at("/properties/ipConfigurations")) {
                if (!address.isEmpty()
                        && ip.at("/properties/privateIPAddress").asText().equals(address)) {
                    return Optional.of(each);
                }
            }
        }
        return Optional.empty();
    }

    private String freeAddress() {
        String planned = nextAddresses.poll();
        if (planned != null) {
            return planned;
        }
        String address;
        do {
            address = "10.0.0." + ++lastHost;
        } while (holderOf(address).isPresent());
        return address;
    }
}
