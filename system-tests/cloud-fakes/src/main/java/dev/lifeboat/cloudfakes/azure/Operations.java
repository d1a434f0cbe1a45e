// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Operations that run on after their request was answered, polled at a URL of their own. Under the fake's lock. */
final class Operations {
    static final class Operation {
        final String id = UUID.randomUUID().toString();
        final String path;
        final Instant started;
        private Optional<Instant> ended = Optional.empty();
        private Optional<ArmError> failure = Optional.empty();

        private Operation(String path, Instant started) {
            this.path = path + "/" + id;
            this.started = started;
        }

        void succeed(Instant now) {
            ended = Optional.of(now);
        }

        void fail(Instant now, ArmError why) {
            ended = Optional.of(now);
            failure = Optional.of(why);
        }

        Map<String, String> headers(String base, String apiVersion) {
            return Map.of("Azure-AsyncOperation", base + path + "?api-version=" + apiVersion, "Retry-After", "0");
        }
    }

    private final Map<String, Operation> all = new HashMap<>();

    /** @param collection such as {@code Microsoft.Compute/locations/westeurope/operations} */
    Operation start(String subscription, String collection, Instant now) {
        Operation operation = new Operation("/subscriptions/" + subscription + "/providers/" + collection, now);
        all.put(operation.id, operation);
        return operation;
    }

    FakeAnswer describe(String id) {
        Operation operation = all.get(id);
        if (operation == null) {
            throw ArmError.notFound(id);
        }
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("startTime", operation.started.toString());
        operation.ended.ifPresent(end -> body.put("endTime", end.toString()));
        body.put(
                "status",
                operation.ended.isEmpty() ? "InProgress" : operation.failure.isEmpty() ? "Succeeded" : "Failed");
        operation.failure.ifPresent(why -> body.set("error", why.detail()));
        body.put("name", id);
        return new FakeAnswer(200, Map.of("Content-Type", "application/json", "Retry-After", "0"), body.toString());
    }
}
