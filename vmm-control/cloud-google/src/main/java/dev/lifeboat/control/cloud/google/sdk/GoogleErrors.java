// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.api.gax.httpjson.HttpJsonStatusCode;
import com.google.api.gax.rpc.ApiException;
import com.google.cloud.compute.v1.Errors;
import com.google.cloud.compute.v1.Operation;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.NetworkException;
import java.util.concurrent.ExecutionException;

/** Turns what the SDK, the transport and operations report into {@link CloudException}. */
final class GoogleErrors {
    private GoogleErrors() {}

    /** @param changes whether the call would have changed something, so that silence leaves its effect open */
    static CloudException of(String attempted, GooglePermission permission, boolean changes, Throwable failure) {
        Throwable cause =
                failure instanceof ExecutionException && failure.getCause() != null ? failure.getCause() : failure;
        if (cause instanceof NetworkException network) {
            throw network;
        }
        if (cause instanceof CloudException known) {
            return known;
        }
        int status = status(cause);
        Kind kind = kind(status, String.valueOf(cause.getMessage()), changes);
        return new CloudException(
                kind, "cannot " + attempted + ": " + oneLine(cause) + advice(kind, permission), cause);
    }

    /** HTTP's, 0 without an answer. */
    static int status(Throwable cause) {
        if (cause instanceof GoogleRest.Refused refused) {
            return refused.status();
        }
        if (cause instanceof ApiException api && api.getStatusCode() instanceof HttpJsonStatusCode code) {
            return code.getTransportCode() == null ? 0 : code.getTransportCode();
        }
        return 0;
    }

    private static Kind kind(int status, String message, boolean changes) {
        return switch (status) {
            case 401 -> Kind.DENIED;
            case 403 ->
                message.contains("ateLimitExceeded") || message.contains("ate Limit Exceeded")
                        ? Kind.THROTTLED
                        : message.contains("uota") ? Kind.QUOTA : Kind.DENIED;
            case 404 -> Kind.NOT_FOUND;
            case 429 -> Kind.THROTTLED;
            case 400, 405, 409, 410, 412 -> Kind.INVALID;
            default -> changes ? Kind.UNCLEAR : Kind.UNAVAILABLE;
        };
    }

    /** What an operation that ended badly means. */
    static CloudException of(String attempted, GooglePermission permission, Operation operation) {
        Errors first = operation.getError().getErrorsCount() > 0
                ? operation.getError().getErrors(0)
                : Errors.newBuilder()
                        .setCode(Integer.toString(operation.getHttpErrorStatusCode()))
                        .setMessage(operation.getHttpErrorMessage())
                        .build();
        String code = first.getCode();
        Kind kind = Kind.INVALID;
        if (code.startsWith("ZONE_RESOURCE_POOL_EXHAUSTED") || code.contains("STOCKOUT")) {
            kind = Kind.CAPACITY;
        } else if (code.startsWith("QUOTA_EXCEEDED") || code.endsWith("QUOTA_EXCEEDED")) {
            kind = Kind.QUOTA;
        } else if (code.equals("PERMISSIONS_ERROR")) {
            kind = Kind.DENIED;
        } else if (code.equals("RESOURCE_NOT_FOUND")) {
            kind = Kind.NOT_FOUND;
        } else if (code.equals("INTERNAL_ERROR")) {
            kind = Kind.UNAVAILABLE;
        }
        return new CloudException(
                kind, "cannot " + attempted + ": " + code + ": " + first.getMessage() + advice(kind, permission));
    }

    private static String advice(Kind kind, GooglePermission permission) {
        return switch (kind) {
            case CAPACITY -> ". Allow more sizes or zones";
            case QUOTA -> ". Ask for more at IAM & Admin, Quotas, or allow other families";
            case THROTTLED -> ". Others in the project call often too; it is tried again later";
            case DENIED ->
                ". Give the service account " + permission.permission() + " (docs/policies/gcp-role.yaml), or run"
                        + " gcloud auth application-default login";
            case NOT_FOUND -> ". Check name, zone and project";
            case INVALID -> ". The request or the settings are wrong";
            case UNAVAILABLE -> ". The service failed or was silent; it is safe to repeat";
            case UNCLEAR -> ". It may have happened: look before it is repeated";
        };
    }

    private static String oneLine(Throwable cause) {
        String message = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
        return message.replaceAll("\\s+", " ").strip();
    }
}
