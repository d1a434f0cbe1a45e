// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.HttpFake;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Compute Engine for one project on 127.0.0.1: instances, disks, routes and backend services with operations that take
 * the time of {@link GoogleTiming}. Strict: a request without bearer token, a change without {@code requestId}, an
 * instance without what the API requires, a stale fingerprint are refused. Any thread may script it.
 */
public final class FakeGoogle extends HttpFake {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String project;
    private final GoogleOperations operations;
    private final GoogleResources resources;
    private final Set<String> calls = new TreeSet<>();
    private final Set<String> deniedPermissions = new HashSet<>();
    private final List<Refusal> refusals = new ArrayList<>();
    private GoogleTiming timing = GoogleTiming.atOnce();

    private record Refusal(Predicate<JsonNode> instance, String code, String message) {}

    public FakeGoogle(String project, InstantSource clock) throws IOException {
        super("fake-google", clock);
        this.project = project;
        String base = url() + "/compute/v1";
        operations = new GoogleOperations(clock, base);
        resources = new GoogleResources(base + "/projects/" + project, clock);
    }

    public synchronized FakeGoogle withTiming(GoogleTiming timing) {
        this.timing = timing;
        return this;
    }

    /** Told of each instance that is bought or started, before it is found to run; from the fake's threads. */
    public synchronized void onLaunch(Consumer<GoogleInstance> hook) {
        resources.onLaunch = hook;
    }

    /** The next instances get these addresses, before the fake makes up its own. */
    public synchronized void addresses(List<String> next) {
        resources.nextAddresses.addAll(next);
    }

    /** Told of each instance that is stopped, deleted or preempted. */
    public synchronized void onTerminate(Consumer<GoogleInstance> hook) {
        resources.onTerminate = hook;
    }

    /** An instance that was there before; it runs. */
    public synchronized GoogleInstance addInstance(
            String zone, String name, String address, Map<String, String> labels) {
        return resources.view(resources.addRunning(zone, name, address, labels));
    }

    public synchronized List<GoogleInstance> instances() {
        operations.settle();
        return resources.instances().stream().map(resources::view).toList();
    }

    /** Every method called so far, such as {@code instances.insert}. */
    public synchronized Set<String> calls() {
        return Set.copyOf(calls);
    }

    /** Each insert that fits fails as an operation with this code, such as {@code ZONE_RESOURCE_POOL_EXHAUSTED}. */
    public synchronized void refuseInstances(Predicate<JsonNode> which, String code, String message) {
        refusals.add(new Refusal(which, code, message));
    }

    /** Capacity for everything again. */
    public synchronized void refuseNothing() {
        refusals.clear();
    }

    /** {@code testIamPermissions} no longer has it, and calls of that method are forbidden. */
    public synchronized void deny(String permission) {
        deniedPermissions.add(permission);
    }

    /** Attachments of this disk never end. */
    public synchronized void stick(String disk) {
        resources.stuckDisks.add(disk);
    }

    public synchronized void addAlias(String instanceId, String range, String rangeName) {
        resources.addAlias(instanceId, range, rangeName);
    }

    public synchronized void addRoute(String name, String range, int priority, String instanceId) {
        resources.addRoute(name, range, priority, instanceId);
    }

    /** A backend service with one NEG in the zone of each instance; the first of them is the leader. */
    public synchronized void addGarpService(String region, String name, String address, List<String> instanceIds) {
        resources.addGarpService(region, name, address, instanceIds);
    }

    /** A copy of a resource as the API shows it, such as {@code global/routes/NAME}. */
    public synchronized Optional<JsonNode> resource(String path) {
        operations.settle();
        return Optional.ofNullable(resources.byPath.get(path)).map(ObjectNode::deepCopy);
    }

    /** Copies of all routes, whose order is that of their making. */
    public synchronized List<JsonNode> routes() {
        operations.settle();
        return resources
                .in("global", "routes")
                .map(r -> (JsonNode) r.deepCopy())
                .toList();
    }

    @Override
    protected synchronized FakeAnswer answer(FakeRequest request) throws IOException {
        try {
            operations.settle();
            if (!request.header("authorization").orElse("").startsWith("Bearer ")) {
                throw new GoogleFailure(401, "authError", "Request had invalid authentication credentials.");
            }
            if (request.path().equals("/v1/projects/" + project + ":testIamPermissions")) {
                return permissions(request);
            }
            GooglePath path = GooglePath.of(request.uri())
                    .orElseThrow(() -> new GoogleFailure(404, "notFound", "no such method: " + request.path()));
            if (!path.project().equals(project)) {
                throw new GoogleFailure(
                        404, "notFound", "The resource 'projects/" + path.project() + "' was not found");
            }
            // The SDK's transport knows no PATCH and sends it so.
            String call = path.call(request.header("x-http-method-override").orElse(request.method()));
            calls.add(call);
            String permission = "compute."
                    + call.replace(".insert", ".create")
                            .replace(".aggregatedList", ".list")
                            .replace(".patch", ".update");
            if (deniedPermissions.contains(permission)) {
                throw new GoogleFailure(
                        403, "forbidden", "Required '" + permission + "' permission for 'projects/" + project + "'");
            }
            return FakeAnswer.json(200, JSON.writeValueAsString(dispatch(call, path, request)));
        } catch (GoogleFailure failure) {
            return failure.answer();
        }
    }

    private FakeAnswer permissions(FakeRequest request) throws IOException {
        calls.add("projects.testIamPermissions");
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode granted = answer.putArray("permissions");
        for (JsonNode permission : JSON.readTree(request.body()).path("permissions")) {
            if (!deniedPermissions.contains(permission.asText())) {
                granted.add(permission);
            }
        }
        return FakeAnswer.json(200, JSON.writeValueAsString(answer));
    }

    private JsonNode dispatch(String call, GooglePath path, FakeRequest request) throws IOException {
        if (call.equals("networkEndpointGroups.listNetworkEndpoints")) {
            return resources.endpoints(path);
        }
        if (!request.method().equals("GET")) {
            return change(call, path, request);
        }
        return switch (path.collection()) {
            case "" -> JSON.createObjectNode().put("kind", "compute#zone").put("name", path.place());
            case "operations" -> operations.get(path.name());
            default ->
                path.scope().equals("aggregated")
                        ? resources.aggregated(path)
                        : path.name().isEmpty() ? resources.list(path) : resources.find(path);
        };
    }

    private JsonNode change(String call, GooglePath path, FakeRequest request) throws IOException {
        String requestId = path.query().getOrDefault("requestId", "");
        try {
            UUID.fromString(requestId);
        } catch (IllegalArgumentException e) {
            throw new GoogleFailure(400, "invalid", "Invalid value for field 'requestId': '" + requestId + "'");
        }
        // The API ignores the second request with an id, whatever its body.
        String whole = call + " " + path.scope() + " " + path.name();
        Optional<ObjectNode> repeated = operations.repeated(requestId, whole);
        if (repeated.isPresent()) {
            return repeated.get();
        }
        JsonNode body = request.body().isBlank() ? JSON.createObjectNode() : JSON.readTree(request.body());
        Duration takes = timing.operation();
        ObjectNode[] operation = new ObjectNode[1];
        Runnable effect;
        if (call.equals("instances.insert")) {
            Optional<Refusal> refusal =
                    refusals.stream().filter(r -> r.instance().test(body)).findFirst();
            if (refusal.isPresent()) {
                resources.checkNewInstance(body);
                takes = timing.staging();
                effect = () -> GoogleOperations.fail(
                        operation[0], 503, refusal.get().code(), refusal.get().message());
            } else {
                effect = resources.insertInstance(path, body, timing);
            }
        } else {
            if (resources.isStuck(call, path, body)) {
                takes = Duration.ofDays(1);
            }
            effect = resources.change(call, path, body, timing);
        }
        operation[0] = operations.begin(path, call.substring(call.indexOf('.') + 1), requestId, whole, takes, effect);
        return operation[0];
    }

    static FakeAnswer error(int status, String reason, String message) {
        ObjectNode root = JSON.createObjectNode();
        ObjectNode error = root.putObject("error").put("code", status).put("message", message);
        error.putArray("errors")
                .addObject()
                .put("message", message)
                .put("domain", "global")
                .put("reason", reason);
        return FakeAnswer.json(status, root.toString());
    }

    /** The answer of a service that is asked too often. */
    public static FakeAnswer throttled() {
        return error(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries' of service 'compute'");
    }

    /** The answer of a service that fails. */
    public static FakeAnswer broken() {
        return error(503, "backendError", "Internal error. Please try again or contact Google Support.");
    }
}
