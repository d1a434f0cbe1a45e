// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.HttpFake;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * One subscription with one resource group of Azure. Strict with requests: authorization, api-version, required fields and
 * etags; and as slow, full and forbidding as it is told to be. One lock guards everything, so that it answers one request
 * after the other.
 */
public final class AzureFake extends HttpFake {
    public static final String SUBSCRIPTION = "11111111-2222-3333-4444-555555555555";
    public static final String GROUP = "lifeboat";
    public static final String LOCATION = "westeurope";
    public static final String SUBNET = "/subscriptions/" + SUBSCRIPTION + "/resourceGroups/" + GROUP
            + "/providers/Microsoft.Network/virtualNetworks/fleet/subnets/hosts";

    private static final Pattern API_VERSION = Pattern.compile("20\\d\\d-\\d\\d-\\d\\d(-preview)?");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Object lock = new Object();
    private final Timeline timeline = new Timeline();
    private final Operations operations = new Operations();
    private final FakeNetwork network;
    private final FakeCompute compute;
    private final Set<String> denied = new TreeSet<>();
    private final List<String> calls = new ArrayList<>();

    public AzureFake(InstantSource clock) throws IOException {
        super("azure-fake", clock);
        network = new FakeNetwork(this, timeline, operations);
        compute = new FakeCompute(this, timeline, operations, network);
    }

    /** Told of each instance once it runs, on the thread of the request that finds it so. */
    public void onLaunch(Consumer<FakeInstance> hook) {
        synchronized (lock) {
            compute.onLaunch = hook;
        }
    }

    /** Told of each instance that stops to run, for whatever reason. */
    public void onTerminate(Consumer<FakeInstance> hook) {
        synchronized (lock) {
            compute.onTerminate = hook;
        }
    }

    /** An instance that runs already. */
    public void addInstance(
            String id, String size, String zone, boolean spot, String address, Map<String, String> tags) {
        synchronized (lock) {
            compute.addInstance(id, size, zone, spot, address, tags);
        }
    }

    public List<FakeInstance> instances() {
        synchronized (lock) {
            settle();
            return compute.instances();
        }
    }

    /** The permissions that all requests so far needed, in the order of their arrival. */
    public List<String> calls() {
        synchronized (lock) {
            return List.copyOf(calls);
        }
    }

    /** The next instances get these addresses, before the fake makes up its own. */
    public void addresses(List<String> next) {
        synchronized (lock) {
            network.nextAddresses.addAll(next);
        }
    }

    /** From the request to {@code running}, and from there to the end of the operation. */
    public void launchTakes(Duration untilRunning, Duration untilProvisioned) {
        synchronized (lock) {
            compute.untilRunning = untilRunning;
            compute.untilProvisioned = untilProvisioned;
        }
    }

    /** Every other operation. */
    public void operationsTake(Duration duration) {
        synchronized (lock) {
            compute.operationTime = duration;
            network.operationTime = duration;
        }
    }

    /** How long a created machine cannot be read. */
    public void newInstancesAreInvisibleFor(Duration duration) {
        synchronized (lock) {
            compute.invisibleFor = duration;
        }
    }

    /** @param code {@code SkuNotAvailable} is said at once, every other one by the operation, which leaves a failed machine */
    public void noCapacity(String size, boolean spot, String code) {
        synchronized (lock) {
            compute.noCapacity.put(FakeCompute.market(size, spot), code);
        }
    }

    /** The cores of spot instances and of others that the subscription may have. */
    public void quota(int spotCores, int otherCores) {
        synchronized (lock) {
            compute.spotCores = spotCores;
            compute.otherCores = otherCores;
        }
    }

    /** Detaching it never ends, unless it is forced. */
    public void stickDisk(String disk) {
        synchronized (lock) {
            compute.stuckDisks.add(ArmPath.key(disk));
        }
    }

    /** The caller's role lacks it. */
    public void deny(String permission) {
        synchronized (lock) {
            denied.add(permission);
        }
    }

    /** The caller's role has it again. */
    public void allow(String permission) {
        synchronized (lock) {
            denied.remove(permission);
        }
    }

    /** As the cloud does with a spot instance; the machine goes by its eviction policy. */
    public void evict(String id) {
        synchronized (lock) {
            settle();
            compute.evict(id);
        }
    }

    /** A route table with one route. */
    public void addRouteTable(String table, String route, String prefix, String nextHop) {
        synchronized (lock) {
            network.addRouteTable(table, route, prefix, nextHop);
        }
    }

    /** A second address of an instance's interface. */
    public void addIpConfiguration(String instance, String name, String address) {
        synchronized (lock) {
            network.addIpConfiguration(compute.interfaceOf(instance), name, address);
        }
    }

    /** An internal load balancer whose one pool holds the instance. */
    public void addLoadBalancer(String name, String frontend, String instance) {
        synchronized (lock) {
            network.addLoadBalancer(name, frontend, compute.interfaceOf(instance));
        }
    }

    /** A disk as somebody else made it. */
    public void addDisk(String name, int sizeGib, Map<String, String> tags) {
        synchronized (lock) {
            compute.addDisk(name, sizeGib, tags);
        }
    }

    /** A resource as it is now, for tests that look behind the API; an empty object when there is none. */
    public JsonNode resource(String idOrName) {
        synchronized (lock) {
            settle();
            return compute.find(idOrName)
                    .or(() -> network.find(idOrName))
                    .map(ObjectNode::deepCopy)
                    .orElseGet(JSON::createObjectNode);
        }
    }

    @Override
    protected FakeAnswer answer(FakeRequest request) {
        try {
            synchronized (lock) {
                settle();
                return checked(request);
            }
        } catch (ArmError e) {
            return e.answer();
        }
    }

    private FakeAnswer checked(FakeRequest request) {
        if (!request.header("Authorization").orElse("").startsWith("Bearer ")) {
            throw new ArmError(401, "AuthenticationFailed", "The 'Authorization' header is missing.");
        }
        String apiVersion = query(request, "api-version");
        if (!API_VERSION.matcher(apiVersion).matches()) {
            throw new ArmError(400, "MissingApiVersionParameter", "The api-version query parameter is required.");
        }
        ArmPath path = ArmPath.of(request.method(), request.path());
        String permission = path.permission(request.method());
        calls.add(permission);
        if (!path.subscription().equals(SUBSCRIPTION)) {
            throw new ArmError(
                    404, "SubscriptionNotFound", "The subscription '" + path.subscription() + "' could not be found.");
        }
        if (!path.group().isEmpty() && !path.group().equalsIgnoreCase(GROUP)) {
            throw new ArmError(
                    404, "ResourceGroupNotFound", "Resource group '" + path.group() + "' could not be found.");
        }
        if (denied.contains(permission)) {
            throw new ArmError(
                    403,
                    "AuthorizationFailed",
                    "The client 'fake' with object id 'fake' does not have authorization to perform action '"
                            + permission + "' over scope '" + request.path() + "' or the scope is invalid.");
        }
        return dispatch(request, path, apiVersion);
    }

    private FakeAnswer dispatch(FakeRequest request, ArmPath path, String apiVersion) {
        if (path.type().toLowerCase(Locale.ROOT).endsWith("operations")) {
            return operations.describe(path.name());
        }
        if (path.is("Microsoft.Authorization", "permissions")) {
            return permissions();
        }
        JsonNode body = body(request);
        return path.provider().equalsIgnoreCase("Microsoft.Compute")
                ? compute.answer(request, path, apiVersion, body)
                : network.answer(request, path, apiVersion, body);
    }

    private FakeAnswer permissions() {
        ObjectNode answer = JSON.createObjectNode();
        ObjectNode one = answer.putArray("value").addObject();
        one.putArray("actions").add("*");
        ArrayNode not = one.putArray("notActions");
        denied.forEach(not::add);
        return FakeAnswer.json(200, answer.toString());
    }

    private static JsonNode body(FakeRequest request) {
        if (request.body().isEmpty()) {
            return JSON.createObjectNode();
        }
        if (!request.header("Content-Type").orElse("").startsWith("application/json")) {
            throw new ArmError(415, "UnsupportedMediaType", "The content type is not application/json.");
        }
        try {
            return JSON.readTree(request.body());
        } catch (IOException e) {
            throw new ArmError(400, "InvalidRequestContent", "The request content was invalid: " + e.getMessage());
        }
    }

    Instant now() {
        return clock().instant();
    }

    private void settle() {
        timeline.runUntil(now());
    }

    static String query(FakeRequest request, String name) {
        String query = request.uri().getQuery();
        for (String part : query == null ? new String[0] : query.split("&")) {
            if (part.startsWith(name + "=")) {
                return part.substring(name.length() + 1);
            }
        }
        return "";
    }

    static String id(String provider, String type, String name) {
        return "/subscriptions/" + SUBSCRIPTION + "/resourceGroups/" + GROUP + "/providers/" + provider + "/" + type
                + "/" + name;
    }

    static FakeAnswer list(List<ObjectNode> all) {
        ObjectNode answer = JSON.createObjectNode();
        answer.putArray("value").addAll(all);
        return FakeAnswer.json(200, answer.toString());
    }

    /** A required field, by the path that the API's reference gives it. */
    static JsonNode required(JsonNode body, String path) {
        JsonNode value = body.at("/" + path.replace('.', '/'));
        if (value.isMissingNode()
                || value.isNull()
                || value.isTextual() && value.textValue().isBlank()) {
            throw new ArmError(400, "InvalidParameter", "Required parameter '" + path + "' is missing (null).");
        }
        return value;
    }
}
