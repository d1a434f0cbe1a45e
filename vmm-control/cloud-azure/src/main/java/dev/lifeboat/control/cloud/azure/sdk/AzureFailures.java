// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.exception.ClientAuthenticationException;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.management.exception.ManagementError;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.net.ConnectException;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Makes of what the SDK throws one line that says what follows. Any thread. */
final class AzureFailures {
    private static final Set<String> CAPACITY = Set.of(
            "SkuNotAvailable",
            "AllocationFailed",
            "ZonalAllocationFailed",
            "OverconstrainedAllocationRequest",
            "OverconstrainedZonalAllocationRequest");
    private static final Pattern DENIED_ACTION = Pattern.compile("perform action '([^']+)'");
    private static final int MAX_TEXT = 300;

    private AzureFailures() {}

    /**
     * @param attempted such as {@code create VM lb-1}
     * @param changes whether the request changes something, so that it may have happened although it failed
     */
    static CloudException of(Throwable thrown, Permission permission, String attempted, boolean changes) {
        if (thrown instanceof CloudException already) {
            return already;
        }
        for (Throwable each = thrown; each != null; each = each.getCause()) {
            if (each instanceof ClientAuthenticationException || isCredentialFailure(each)) {
                return new CloudException(
                        Kind.DENIED,
                        "azure: cannot " + attempted + ": no credentials that work (" + line(each.getMessage())
                                + "); give the host a managed identity, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and"
                                + " AZURE_CLIENT_SECRET",
                        thrown);
            }
            if (each instanceof HttpResponseException answered && answered.getResponse() != null) {
                return answered(answered, permission, attempted, changes);
            }
            if (each instanceof ConnectException) {
                return new CloudException(
                        Kind.UNAVAILABLE,
                        "azure: cannot " + attempted + ": the API cannot be reached; look at network, proxy and the"
                                + " endpoint's address",
                        thrown);
            }
        }
        String why = line(thrown.getMessage());
        return changes
                ? new CloudException(
                        Kind.UNCLEAR,
                        "azure: no answer to: " + attempted + " (" + why + "); it may have happened, look before"
                                + " doing it again",
                        thrown)
                : new CloudException(
                        Kind.UNAVAILABLE,
                        "azure: cannot " + attempted + ": no answer (" + why + "); try later",
                        thrown);
    }

    private static boolean isCredentialFailure(Throwable thrown) {
        return thrown.getClass().getName().startsWith("com.azure.identity.");
    }

    private static CloudException answered(
            HttpResponseException thrown, Permission permission, String attempted, boolean changes) {
        int status = thrown.getResponse().getStatusCode();
        String code = "";
        String text = thrown.getMessage();
        if (thrown.getValue() instanceof ManagementError error) {
            code = String.valueOf(error.getCode());
            text = error.getMessage();
        }
        return of(status, code, text, permission, attempted, changes, thrown);
    }

    /** An answer, or the end of an operation, that says what is wrong. */
    static CloudException of(
            int status,
            String code,
            String text,
            Permission permission,
            String attempted,
            boolean changes,
            Throwable cause) {
        Kind kind = kind(status, code, text == null ? "" : text, changes);
        String what = "azure: cannot " + attempted + ": " + (code.isEmpty() ? "HTTP " + status : code) + " ("
                + line(text) + ")";
        return new CloudException(kind, what + advice(kind, permission, text), cause);
    }

    private static Kind kind(int status, String code, String text, boolean changes) {
        if (CAPACITY.contains(code)) {
            return Kind.CAPACITY;
        }
        if (code.equals("QuotaExceeded")
                || code.equals("OperationNotAllowed")
                        && text.toLowerCase(Locale.ROOT).contains("quota")) {
            return Kind.QUOTA;
        }
        if (status == 429) {
            return Kind.THROTTLED;
        }
        if (status == 401 || status == 403) {
            return Kind.DENIED;
        }
        if (status == 404) {
            return Kind.NOT_FOUND;
        }
        if (status == 503 || status >= 500 && !changes) {
            return Kind.UNAVAILABLE;
        }
        return status >= 500 || status == 408 ? Kind.UNCLEAR : Kind.INVALID;
    }

    private static String advice(Kind kind, Permission permission, String text) {
        return switch (kind) {
            case CAPACITY -> "; try another size, zone, or not spot";
            case QUOTA -> "; ask for more cores of this kind under Subscription, Usage + quotas";
            case THROTTLED -> "; wait, and let fewer agents ask";
            case DENIED -> {
                Matcher named = DENIED_ACTION.matcher(text == null ? "" : text);
                yield "; it needs " + (named.find() ? named.group(1) : permission.action())
                        + ", which docs/policies/azure-role.json grants";
            }
            case NOT_FOUND -> "; look at subscription, resource group and name";
            case INVALID -> "; look at the settings";
            case UNAVAILABLE -> "; try later";
            case UNCLEAR -> "; it may have happened, look before doing it again";
        };
    }

    /** The HTTP status behind a failure; 0 when there was no answer. */
    static int status(CloudException failure) {
        for (Throwable each = failure.getCause(); each != null; each = each.getCause()) {
            if (each instanceof HttpResponseException answered && answered.getResponse() != null) {
                return answered.getResponse().getStatusCode();
            }
        }
        return 0;
    }

    private static String line(String text) {
        String one = String.valueOf(text).replaceAll("\\s+", " ").strip();
        return one.length() <= MAX_TEXT ? one : one.substring(0, MAX_TEXT) + "...";
    }
}
