// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** Operations and their progress. Not safe for threads: the fake holds its lock. */
final class GoogleOperations {
    private static final class Pending {
        final ObjectNode json;
        final Instant done;
        final Runnable effect;
        boolean applied;

        Pending(ObjectNode json, Instant done, Runnable effect) {
            this.json = json;
            this.done = done;
            this.effect = effect;
        }
    }

    private final InstantSource clock;
    private final String base;
    private final Map<String, Pending> byName = new LinkedHashMap<>();
    private final Map<String, String> namesByRequest = new HashMap<>();
    private final Map<String, String> callsByRequest = new HashMap<>();

    GoogleOperations(InstantSource clock, String base) {
        this.clock = clock;
        this.base = base;
    }

    /** Brings about what has become due. */
    void settle() {
        Instant now = clock.instant();
        for (Pending operation : byName.values()) {
            if (!operation.applied && !now.isBefore(operation.done)) {
                operation.applied = true;
                operation.effect.run();
                operation.json.put("status", "DONE").put("progress", 100).put("endTime", now.toString());
            } else if (!operation.applied) {
                operation.json.put("status", "RUNNING");
            }
        }
    }

    /** The operation of a request seen before; another request with the same id is an error, as in the API. */
    Optional<ObjectNode> repeated(String requestId, String call) {
        String name = namesByRequest.get(requestId);
        if (name == null) {
            return Optional.empty();
        }
        if (!callsByRequest.get(requestId).equals(call)) {
            throw new GoogleFailure(400, "invalid", "requestId " + requestId + " was used for another request");
        }
        return Optional.of(byName.get(name).json);
    }

    ObjectNode begin(GooglePath path, String type, String requestId, String call, Duration takes, Runnable effect) {
        String name = "operation-" + (byName.size() + 1);
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        String scope = base + "/projects/" + path.project() + "/" + path.scope();
        json.put("kind", "compute#operation")
                .put("id", Long.toString(7000 + byName.size()))
                .put("name", name)
                .put("operationType", type)
                .put("status", "PENDING")
                .put("progress", 0)
                .put("insertTime", clock.instant().toString())
                .put("selfLink", scope + "/operations/" + name)
                .put("targetLink", scope + "/" + path.collection() + "/" + path.name());
        if (path.scope().startsWith("zones/")) {
            json.put("zone", scope);
        } else if (path.scope().startsWith("regions/")) {
            json.put("region", scope);
        }
        byName.put(name, new Pending(json, clock.instant().plus(takes), effect));
        namesByRequest.put(requestId, name);
        callsByRequest.put(requestId, call);
        return json;
    }

    static void fail(ObjectNode operation, int status, String code, String message) {
        operation.put("httpErrorStatusCode", status).put("httpErrorMessage", code);
        operation
                .putObject("error")
                .putArray("errors")
                .addObject()
                .put("code", code)
                .put("message", message);
    }

    ObjectNode get(String name) {
        Pending operation = byName.get(name);
        if (operation == null) {
            throw new GoogleFailure(404, "notFound", "The resource '" + name + "' was not found");
        }
        return operation.json;
    }
}
