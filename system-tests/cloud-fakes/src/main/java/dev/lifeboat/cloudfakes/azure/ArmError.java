// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;

/** A refusal in the shape that Resource Manager publishes: {@code {"error":{"code":..., "message":...}}}. */
final class ArmError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;

    ArmError(int status, String code, String message) {
        super(message, null, false, false);
        this.status = status;
        this.code = code;
    }

    static ArmError notFound(String id) {
        return new ArmError(404, "ResourceNotFound", "The Resource '" + id + "' was not found.");
    }

    static ArmError invalid(String what) {
        return new ArmError(400, "InvalidParameter", what);
    }

    ObjectNode detail() {
        return JsonNodeFactory.instance.objectNode().put("code", code).put("message", getMessage());
    }

    FakeAnswer answer() {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.set("error", detail());
        return FakeAnswer.json(status, body.toString());
    }
}
