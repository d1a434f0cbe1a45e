// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.util.Set;
import java.util.function.Supplier;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;

/** Makes of the SDK's exceptions the few kinds that something follows from. Any thread. */
final class AwsErrors {
    private static final Set<String> CAPACITY = Set.of(
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientCapacity",
            "UnfulfillableCapacity",
            "InsufficientFreeAddressesInSubnet",
            "Unsupported");
    private static final Set<String> QUOTA = Set.of(
            "MaxSpotInstanceCountExceeded",
            "SpotMaxPriceTooLow",
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "VolumeLimitExceeded",
            "MaxIOPSLimitExceeded",
            "AttachmentLimitExceeded",
            "AddressLimitExceeded",
            "PrivateIpAddressLimitExceeded",
            "RouteLimitExceeded",
            "MaxScheduledInstanceCapacityExceeded",
            "ServiceQuotaExceededException");
    private static final Set<String> THROTTLED = Set.of(
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
            "MaxConfigLimitExceeded",
            "SnapshotCreationPerVolumeRateExceeded");
    private static final Set<String> DENIED =
            Set.of("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "OptInRequired");
    private static final Set<String> CREDENTIALS = Set.of(
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "MissingAuthenticationToken",
            "UnrecognizedClientException");

    private AwsErrors() {}

    /** For calls that change nothing: without an answer nothing can have happened. */
    static <T> T look(AwsPermission permission, String attempted, Supplier<T> call) {
        return call(permission, attempted, call, Kind.UNAVAILABLE);
    }

    /** For calls that change something: without an answer it may have happened or not. */
    static <T> T change(AwsPermission permission, String attempted, Supplier<T> call) {
        return call(permission, attempted, call, Kind.UNCLEAR);
    }

    private static <T> T call(AwsPermission permission, String attempted, Supplier<T> call, Kind withoutAnswer) {
        try {
            return call.get();
        } catch (AwsServiceException e) {
            throw answered(permission, attempted, e, withoutAnswer);
        } catch (SdkException e) {
            throw unanswered(attempted, e, withoutAnswer);
        }
    }

    /** The kind of one of EC2's error codes. */
    static Kind kind(String code) {
        if (CAPACITY.contains(code)) {
            return Kind.CAPACITY;
        } else if (QUOTA.contains(code)) {
            return Kind.QUOTA;
        } else if (THROTTLED.contains(code)) {
            return Kind.THROTTLED;
        } else if (DENIED.contains(code) || CREDENTIALS.contains(code)) {
            return Kind.DENIED;
        } else if (code.endsWith(".NotFound")
                || code.equals("ResourceNotFoundException")
                || code.endsWith("NonExistentQueue")
                || code.endsWith("QueueDoesNotExist")) {
            return Kind.NOT_FOUND;
        }
        return Kind.INVALID;
    }

    static String code(AwsServiceException e) {
        AwsErrorDetails details = e.awsErrorDetails();
        return details == null || details.errorCode() == null ? "HTTP " + e.statusCode() : details.errorCode();
    }

    static boolean isCode(CloudException e, String code) {
        return e.getCause() instanceof AwsServiceException cause && code(cause).equals(code);
    }

    private static CloudException answered(
            AwsPermission permission, String attempted, AwsServiceException e, Kind withoutAnswer) {
        String code = code(e);
        Kind kind = kind(code);
        if (kind == Kind.INVALID && e.statusCode() >= 500) {
            kind = withoutAnswer;
        }
        return new CloudException(
                kind, "cannot " + attempted + ": " + code + ", " + said(e) + ". " + advice(kind, code, permission), e);
    }

    private static CloudException unanswered(String attempted, SdkException e, Kind withoutAnswer) {
        if (e instanceof AbortedException) {
            Thread.currentThread().interrupt();
        }
        if (e instanceof SdkClientException && noCredentials(e)) {
            return new CloudException(
                    Kind.DENIED,
                    "cannot " + attempted + ": there are no credentials. Give the machine an instance profile, or set"
                            + " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
                    e);
        }
        return new CloudException(
                withoutAnswer,
                "cannot " + attempted + ": no answer (" + oneLine(e.getMessage()) + "). "
                        + advice(withoutAnswer, "", AwsPermission.DESCRIBE_INSTANCES),
                e);
    }

    private static boolean noCredentials(SdkException e) {
        String message = String.valueOf(e.getMessage());
        return message.contains("Unable to load credentials") || message.contains("load credentials from any of");
    }

    static String advice(Kind kind, String code, AwsPermission permission) {
        if (CREDENTIALS.contains(code)) {
            return "Renew the credentials, and see that the machine's clock is right";
        }
        return switch (kind) {
            case CAPACITY -> "Offer more sizes or zones";
            case QUOTA -> "Raise the quota in Service Quotas, or offer smaller sizes";
            case THROTTLED -> "Other programs of this account call too often; it is tried again later";
            case DENIED -> "Allow " + permission.action() + "; docs/policies/aws.json has all that is needed";
            case NOT_FOUND -> "See that region and account are the right ones";
            case INVALID -> "Correct the settings; asking again does not help";
            case UNAVAILABLE -> "See that the endpoint can be reached from here; asking again is safe";
            case UNCLEAR -> "Ask what the token has made before asking again";
        };
    }

    private static String said(AwsServiceException e) {
        AwsErrorDetails details = e.awsErrorDetails();
        String message = details == null ? e.getMessage() : details.errorMessage();
        return oneLine(message);
    }

    static String oneLine(String message) {
        String line = String.valueOf(message).replaceAll("\\s+", " ").strip();
        String shorter = line.length() > 300 ? line.substring(0, 300) : line;
        return shorter.endsWith(".") ? shorter.substring(0, shorter.length() - 1) : shorter;
    }
}
