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
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** Microsoft.Compute: machines, disks, sizes, quotas and placement scores. Under the fake's lock. */
final class FakeCompute {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PROVIDER = "Microsoft.Compute";
    private static final List<FakeSize> SIZES = List.of(
            new FakeSize("Standard_B2ms", "standardBSFamily", 2, 8, false, false),
            new FakeSize("Standard_D2s_v3", "standardDSv3Family", 2, 8, true, false),
            new FakeSize("Standard_D4s_v3", "standardDSv3Family", 4, 16, true, false),
            new FakeSize("Standard_D4s_v4", "standardDSv4Family", 4, 16, true, false),
            new FakeSize("Standard_D2s_v5", "standardDSv5Family", 2, 8, true, false),
            new FakeSize("Standard_D4s_v5", "standardDSv5Family", 4, 16, true, false),
            new FakeSize("Standard_D8s_v5", "standardDSv5Family", 8, 32, true, false),
            new FakeSize("Standard_D4ds_v5", "standardDDSv5Family", 4, 16, true, true),
            new FakeSize("Standard_E4s_v5", "standardESv5Family", 4, 32, true, false),
            new FakeSize("Standard_D4as_v5", "standardDASv5Family", 4, 16, true, false),
            new FakeSize("Standard_D4ps_v5", "standardDPSv5Family", 4, 16, true, false),
            new FakeSize("Standard_DC4as_v5", "standardDCASv5Family", 4, 16, true, false));

    final Map<String, String> noCapacity = new HashMap<>();
    final Set<String> stuckDisks = new HashSet<>();
    Consumer<FakeInstance> onLaunch = instance -> {};
    Consumer<FakeInstance> onTerminate = instance -> {};
    Duration untilRunning = Duration.ZERO;
    Duration untilProvisioned = Duration.ZERO;
    Duration operationTime = Duration.ZERO;
    Duration invisibleFor = Duration.ZERO;
    int spotCores = 100;
    int otherCores = 100;

    private final AzureFake fake;
    private final Timeline timeline;
    private final Operations operations;
    private final FakeNetwork network;
    private final FakeDisks disks = new FakeDisks();
    private final Map<String, Machine> machines = new LinkedHashMap<>();

    FakeCompute(AzureFake fake, Timeline timeline, Operations operations, FakeNetwork network) {
        this.fake = fake;
        this.timeline = timeline;
        this.operations = operations;
        this.network = network;
    }

    static String market(String size, boolean spot) {
        return size + (spot ? " spot" : " regular");
    }

    FakeAnswer answer(FakeRequest request, ArmPath path, String apiVersion, JsonNode body) {
        if (path.is(PROVIDER, "skus")) {
            return sizes(AzureFake.query(request, "$filter"));
        }
        if (path.is(PROVIDER, "locations/usages")) {
            return usages();
        }
        if (path.type().equalsIgnoreCase("locations/placementScores/spot")
                || path.action().equals("generate")) {
            return scores(body);
        }
        if (path.is(PROVIDER, "disks")) {
            return disk(request, path, apiVersion, body);
        }
        if (path.is(PROVIDER, "virtualMachines")) {
            return machine(request, path, apiVersion, body);
        }
        throw ArmError.notFound(request.path());
    }

    private FakeAnswer machine(FakeRequest request, ArmPath path, String apiVersion, JsonNode body) {
        if (path.isList()) {
            return AzureFake.list(machines.values().stream()
                    .filter(each -> !each.visibleAt.isAfter(fake.now()))
                    .map(each -> each.shown(false))
                    .toList());
        }
        String id = AzureFake.id(PROVIDER, "virtualMachines", path.name());
        if (request.method().equals("PUT")) {
            return create(request, id, apiVersion, body);
        }
        Machine machine = machines.get(ArmPath.key(id));
        if (request.method().equals("DELETE")) {
            return machine == null ? FakeAnswer.empty(204) : delete(machine, apiVersion);
        }
        if (machine == null || machine.visibleAt.isAfter(fake.now())) {
            throw ArmError.notFound(id);
        }
        if (request.method().equals("GET")) {
            boolean view = AzureFake.query(request, "$expand").equals("instanceView");
            return FakeAnswer.json(200, machine.shown(view).toString());
        }
        return switch (path.action()) {
            case "simulateEviction" -> {
                if (!machine.spot) {
                    throw new ArmError(
                            409, "OperationNotAllowed", "simulateEviction is only for Spot virtual machines.");
                }
                // It is a promise: the eviction follows later.
                timeline.at(fake.now().plus(operationTime), () -> evict(machine.name()));
                yield FakeAnswer.empty(204);
            }
            case "deallocate" -> power(machine, "deallocating", "deallocated", apiVersion);
            case "start" -> start(machine, apiVersion);
            case "attachDetachDataDisks" -> attachDetach(machine, apiVersion, body);
            default -> throw ArmError.notFound(request.path());
        };
    }

    private FakeAnswer create(FakeRequest request, String id, String apiVersion, JsonNode body) {
        if (machines.containsKey(ArmPath.key(id))) {
            if (request.header("If-None-Match").orElse("").equals("*")) {
                throw new ArmError(412, "PreconditionFailed", "The resource '" + id + "' exists already.");
            }
            throw new ArmError(409, "PropertyChangeNotAllowed", "Changing property is not allowed: " + id);
        }
        check(body);
        String size = body.at("/properties/hardwareProfile/vmSize").asText();
        boolean spot = body.at("/properties/priority").asText().equals("Spot");
        FakeSize known = SIZES.stream()
                .filter(each -> each.name().equals(size))
                .findFirst()
                .orElseThrow(() -> new ArmError(
                        400, "InvalidParameter", "The value " + size + " provided for the VM size is not valid."));
        int used = coresUsed(spot);
        int limit = spot ? spotCores : otherCores;
        if (used + known.vcpus() > limit) {
            throw new ArmError(
                    409,
                    "OperationNotAllowed",
                    "Operation could not be completed as it results in exceeding"
                            + " approved " + (spot ? "LowPriorityCores" : "Total Regional Cores")
                            + " quota. Current Limit: "
                            + limit + ", Current Usage: " + used + ", Additional Required: " + known.vcpus() + ".");
        }
        String shortage = known.restricted() ? "SkuNotAvailable" : noCapacity.get(market(size, spot));
        if ("SkuNotAvailable".equals(shortage)) {
            throw new ArmError(
                    409,
                    shortage,
                    "The requested VM size " + size + " is currently not available in location '" + AzureFake.LOCATION
                            + "'.");
        }
        String nic = network.createInterface(
                id,
                required(body, "properties.networkProfile.networkInterfaceConfigurations")
                        .get(0));
        Instant now = fake.now();
        Machine machine = new Machine(body, id, nic, now.plus(invisibleFor));
        machines.put(ArmPath.key(id), machine);
        Operations.Operation operation = operation("operations");
        if (shortage != null) {
            ArmError why = new ArmError(
                    409,
                    shortage,
                    "Allocation failed. We do not have sufficient capacity for the"
                            + " requested VM size in this region.");
            timeline.at(now.plus(untilRunning), () -> {
                machine.properties().put("provisioningState", "Failed");
                operation.fail(fake.now(), why);
            });
        } else {
            timeline.at(now.plus(untilRunning), () -> run(machine));
            timeline.at(now.plus(untilRunning).plus(untilProvisioned), () -> {
                if (!machine.gone) {
                    machine.properties().put("provisioningState", "Succeeded");
                }
                operation.succeed(fake.now());
            });
        }
        return begun(201, operation, apiVersion, machine.shown(false));
    }

    private static void check(JsonNode body) {
        for (String field : List.of(
                "location",
                "properties.hardwareProfile.vmSize",
                "properties.storageProfile.imageReference",
                "properties.storageProfile.osDisk.createOption",
                "properties.osProfile.computerName",
                "properties.osProfile.adminUsername",
                "properties.osProfile.customData",
                "properties.networkProfile.networkApiVersion",
                "properties.networkProfile.networkInterfaceConfigurations")) {
            required(body, field);
        }
        required(body, "properties.osProfile.linuxConfiguration.ssh.publicKeys");
        if (!body.at("/location").asText().equals(AzureFake.LOCATION)) {
            throw new ArmError(
                    400,
                    "LocationNotAvailableForResourceType",
                    "The provided location '" + body.at("/location").asText() + "' is not available.");
        }
        boolean spot = body.at("/properties/priority").asText().equals("Spot");
        if (!spot
                && (body.at("/properties").has("evictionPolicy")
                        || body.at("/properties").has("billingProfile"))) {
            throw new ArmError(400, "InvalidParameter", "Eviction policy and max price are only for Spot.");
        }
        if (spot) {
            required(body, "properties.evictionPolicy");
        }
    }

    private FakeAnswer attachDetach(Machine machine, String apiVersion, JsonNode body) {
        if (body.path("dataDisksToAttach").isEmpty()
                && body.path("dataDisksToDetach").isEmpty()) {
            throw ArmError.invalid("neither dataDisksToAttach nor dataDisksToDetach");
        }
        for (JsonNode each : body.path("dataDisksToAttach")) {
            disks.checkAttachable(disks.existing(required(each, "diskId").asText()), machine);
        }
        boolean stuck = false;
        for (JsonNode each : body.path("dataDisksToDetach")) {
            ObjectNode disk = disks.existing(required(each, "diskId").asText());
            boolean forced = each.path("detachOption").asText().equals("ForceDetach");
            stuck |=
                    !forced && stuckDisks.contains(ArmPath.key(disk.path("name").asText()));
        }
        Operations.Operation operation = operation("operations");
        if (!stuck) {
            timeline.at(fake.now().plus(operationTime), () -> {
                try {
                    body.path("dataDisksToAttach")
                            .forEach(each -> disks.attach(
                                    disks.existing(each.get("diskId").asText()), machine, each));
                    body.path("dataDisksToDetach")
                            .forEach(each -> disks.detach(
                                    disks.existing(each.get("diskId").asText()), machine));
                    operation.succeed(fake.now());
                } catch (ArmError e) {
                    operation.fail(fake.now(), e);
                }
            });
        }
        Map<String, String> headers = new LinkedHashMap<>(operation.headers(fake.url(), apiVersion));
        return new FakeAnswer(202, headers, "");
    }

    private FakeAnswer start(Machine machine, String apiVersion) {
        String shortage = noCapacity.get(market(machine.size(), machine.spot));
        if (shortage != null) {
            throw new ArmError(409, shortage, "Allocation failed for " + machine.size() + ".");
        }
        Operations.Operation operation = operation("operations");
        timeline.at(fake.now().plus(operationTime), () -> {
            if (!machine.powerState.equals("running")) {
                run(machine);
            }
            operation.succeed(fake.now());
        });
        return new FakeAnswer(202, operation.headers(fake.url(), apiVersion), "");
    }

    private FakeAnswer power(Machine machine, String during, String after, String apiVersion) {
        Operations.Operation operation = operation("operations");
        boolean ran = machine.powerState.equals("running");
        machine.powerState = during;
        timeline.at(fake.now().plus(operationTime), () -> {
            machine.powerState = after;
            operation.succeed(fake.now());
            if (ran) {
                onTerminate.accept(shown(machine));
            }
        });
        return new FakeAnswer(202, operation.headers(fake.url(), apiVersion), "");
    }

    private FakeAnswer delete(Machine machine, String apiVersion) {
        Operations.Operation operation = operation("operations");
        machine.properties().put("provisioningState", "Deleting");
        timeline.at(fake.now().plus(operationTime), () -> {
            remove(machine);
            operation.succeed(fake.now());
        });
        return new FakeAnswer(202, operation.headers(fake.url(), apiVersion), "");
    }

    void evict(String name) {
        Machine machine = named(name);
        if (machine.document.at("/properties/evictionPolicy").asText().equals("Deallocate")) {
            machine.powerState = "deallocated";
            onTerminate.accept(shown(machine));
        } else {
            remove(machine);
        }
    }

    private void run(Machine machine) {
        if (!machine.gone) {
            machine.powerState = "running";
            onLaunch.accept(shown(machine));
        }
    }

    private void remove(Machine machine) {
        if (machine.gone) {
            return;
        }
        FakeInstance last = shown(machine);
        machine.gone = true;
        disks.detachAll(machine);
        network.delete(machine.nicId);
        machines.remove(ArmPath.key(machine.id()));
        if (last.powerState().equals("running")) {
            onTerminate.accept(last);
        }
    }

    private FakeAnswer disk(FakeRequest request, ArmPath path, String apiVersion, JsonNode body) {
        if (path.isList()) {
            return AzureFake.list(disks.all());
        }
        String id = AzureFake.id(PROVIDER, "disks", path.name());
        return switch (request.method()) {
            case "GET" -> FakeAnswer.json(200, disks.existing(id).toString());
            case "PUT" -> {
                ObjectNode disk = disks.put(path.name(), body);
                Operations.Operation operation = operation("diskOperations");
                timeline.at(fake.now().plus(operationTime), () -> operation.succeed(fake.now()));
                yield begun(202, operation, apiVersion, disk);
            }
            case "DELETE" -> {
                if (disks.find(id).isEmpty()) {
                    yield FakeAnswer.empty(204);
                }
                disks.delete(disks.existing(id));
                Operations.Operation operation = operation("diskOperations");
                operation.succeed(fake.now());
                yield new FakeAnswer(202, operation.headers(fake.url(), apiVersion), "");
            }
            default -> throw new ArmError(405, "MethodNotAllowed", request.method() + " of a disk");
        };
    }

    private FakeAnswer sizes(String filter) {
        if (!filter.equals("location eq '" + AzureFake.LOCATION + "'")) {
            throw ArmError.invalid("filter: " + filter);
        }
        return AzureFake.list(SIZES.stream().map(FakeCompute::sku).toList());
    }

    private static ObjectNode sku(FakeSize size) {
        ObjectNode sku = JSON.createObjectNode()
                .put("resourceType", "virtualMachines")
                .put("name", size.name())
                .put("tier", "Standard")
                .put("family", size.family());
        sku.putArray("locations").add(AzureFake.LOCATION);
        ObjectNode info = sku.putArray("locationInfo").addObject().put("location", AzureFake.LOCATION);
        info.putArray("zones").add("1").add("2").add("3");
        ArrayNode capabilities = sku.putArray("capabilities");
        capabilities.addObject().put("name", "vCPUs").put("value", Integer.toString(size.vcpus()));
        capabilities.addObject().put("name", "MemoryGB").put("value", Double.toString(size.memoryGib()));
        capabilities.addObject().put("name", "LowPriorityCapable").put("value", size.spotCapable() ? "True" : "False");
        ArrayNode restrictions = sku.putArray("restrictions");
        if (size.restricted()) {
            ObjectNode one = restrictions.addObject().put("type", "Location");
            one.putArray("values").add(AzureFake.LOCATION);
            one.put("reasonCode", "NotAvailableForSubscription");
        }
        return sku;
    }

    private FakeAnswer usages() {
        return AzureFake.list(List.of(
                usage("lowPriorityCores", coresUsed(true), spotCores), usage("cores", coresUsed(false), otherCores)));
    }

    private static ObjectNode usage(String name, int used, int limit) {
        ObjectNode usage = JSON.createObjectNode()
                .put("unit", "Count")
                .put("currentValue", used)
                .put("limit", limit);
        usage.putObject("name").put("value", name).put("localizedValue", name);
        return usage;
    }

    private FakeAnswer scores(JsonNode body) {
        required(body, "desiredLocations");
        required(body, "desiredCount");
        ObjectNode answer = JSON.createObjectNode();
        answer.set("desiredLocations", body.get("desiredLocations"));
        answer.set("desiredSizes", body.get("desiredSizes"));
        ArrayNode scores = answer.putArray("placementScores");
        for (JsonNode each : required(body, "desiredSizes")) {
            String sku = required(each, "sku").asText();
            String score = noCapacity.containsKey(market(sku, true)) ? "Low" : sku.endsWith("v5") ? "High" : "Medium";
            for (String zone : List.of("1", "2", "3")) {
                scores.addObject()
                        .put("sku", sku)
                        .put("region", AzureFake.LOCATION)
                        .put("availabilityZone", zone)
                        .put("score", score)
                        .put("isQuotaAvailable", true);
            }
        }
        return FakeAnswer.json(200, answer.toString());
    }

    private int coresUsed(boolean spot) {
        return machines.values().stream()
                .filter(each -> each.spot == spot)
                .mapToInt(each -> SIZES.stream()
                        .filter(size -> size.name().equals(each.size()))
                        .mapToInt(FakeSize::vcpus)
                        .sum())
                .sum();
    }

    private Operations.Operation operation(String collection) {
        return operations.start(
                AzureFake.SUBSCRIPTION, PROVIDER + "/locations/" + AzureFake.LOCATION + "/" + collection, fake.now());
    }

    private FakeAnswer begun(int status, Operations.Operation operation, String apiVersion, ObjectNode resource) {
        Map<String, String> headers = new LinkedHashMap<>(operation.headers(fake.url(), apiVersion));
        headers.put("Content-Type", "application/json");
        return new FakeAnswer(status, headers, resource.toString());
    }

    void addInstance(String name, String size, String zone, boolean spot, String address, Map<String, String> tags) {
        String id = AzureFake.id(PROVIDER, "virtualMachines", name);
        ObjectNode body = JSON.createObjectNode().put("location", AzureFake.LOCATION);
        tags.forEach(body.putObject("tags")::put);
        body.putArray("zones").add(zone);
        ObjectNode properties = body.putObject("properties");
        properties.putObject("hardwareProfile").put("vmSize", size);
        properties.putObject("storageProfile");
        properties.putObject("osProfile").put("computerName", name);
        properties.put("priority", spot ? "Spot" : "Regular");
        if (spot) {
            properties.put("evictionPolicy", "Delete");
        }
        String nic = network.addInterface(id, name + "-nic", "ipconfig1", address, false);
        Machine machine = new Machine(body, id, nic, Instant.MIN);
        machine.properties().put("provisioningState", "Succeeded");
        machine.powerState = "running";
        machines.put(ArmPath.key(id), machine);
    }

    void addDisk(String name, int sizeGib, Map<String, String> tags) {
        disks.add(name, sizeGib, tags);
    }

    List<FakeInstance> instances() {
        return machines.values().stream().map(this::shown).toList();
    }

    String interfaceOf(String name) {
        return named(name).nicId;
    }

    Optional<ObjectNode> find(String idOrName) {
        return machines.values().stream()
                .filter(each ->
                        each.id().equalsIgnoreCase(idOrName) || each.name().equalsIgnoreCase(idOrName))
                .findFirst()
                .map(each -> each.shown(true))
                .or(() -> disks.find(idOrName));
    }

    private Machine named(String name) {
        Machine machine = machines.get(ArmPath.key(AzureFake.id(PROVIDER, "virtualMachines", name)));
        if (machine == null) {
            throw ArmError.notFound(name);
        }
        return machine;
    }

    private FakeInstance shown(Machine machine) {
        return machine.instance(network.addressOf(machine.nicId));
    }
}
