// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.http.HttpClient;
import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpHeaders;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpPipeline;
import com.azure.core.http.HttpPipelineBuilder;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.HttpResponse;
import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.core.http.policy.AddHeadersFromContextPolicy;
import com.azure.core.http.policy.BearerTokenAuthenticationPolicy;
import com.azure.core.http.policy.HttpPipelinePolicy;
import com.azure.core.http.policy.RequestIdPolicy;
import com.azure.core.http.policy.RetryPolicy;
import com.azure.core.http.policy.UserAgentPolicy;
import com.azure.core.management.AzureEnvironment;
import com.azure.core.management.polling.PollResult;
import com.azure.core.util.Context;
import com.azure.core.util.polling.LongRunningOperationStatus;
import com.azure.core.util.polling.PollResponse;
import com.azure.core.util.polling.SyncPoller;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.resourcemanager.compute.fluent.ComputeManagementClient;
import com.azure.resourcemanager.compute.implementation.ComputeManagementClientBuilder;
import com.azure.resourcemanager.network.fluent.NetworkManagementClient;
import com.azure.resourcemanager.network.implementation.NetworkManagementClientBuilder;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.control.cloud.CloudException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The clients of Resource Manager over one pipeline that limits each call and repeats it a few times, with everything
 * that they throw turned into {@link CloudException}. Any thread.
 */
final class Arm {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final AzureSettings settings;
    private final String endpoint;
    private final HttpPipeline pipeline;
    private final ComputeManagementClient compute;
    private final NetworkManagementClient network;

    Arm(AzureSettings settings) {
        this.settings = settings;
        Map<String, String> endpoints = new HashMap<>(AzureEnvironment.AZURE.getEndpoints());
        settings.endpoint().ifPresent(other -> endpoints.put("resourceManagerEndpointUrl", withSlash(other)));
        AzureEnvironment environment = new AzureEnvironment(endpoints);
        endpoint = environment.getResourceManagerEndpoint();
        pipeline = pipeline(settings);
        compute = new ComputeManagementClientBuilder()
                .pipeline(pipeline)
                .environment(environment)
                .endpoint(endpoint)
                .subscriptionId(settings.subscription())
                .defaultPollInterval(settings.poll())
                .buildClient();
        network = new NetworkManagementClientBuilder()
                .pipeline(pipeline)
                .environment(environment)
                .endpoint(endpoint)
                .subscriptionId(settings.subscription())
                .defaultPollInterval(settings.poll())
                .buildClient();
    }

    private static String withSlash(URI endpoint) {
        String text = endpoint.toString();
        return text.endsWith("/") ? text : text + "/";
    }

    private static HttpPipeline pipeline(AzureSettings settings) {
        // One attempt has a third of the time, so that a service that hangs once does not use up the call.
        Duration attempt = settings.callLimit().dividedBy(3);
        HttpClient client = new JdkHttpClientBuilder()
                .connectionTimeout(attempt)
                .responseTimeout(attempt)
                .readTimeout(attempt)
                .writeTimeout(attempt)
                .build();
        List<HttpPipelinePolicy> policies = new ArrayList<>();
        policies.add(new UserAgentPolicy("lifeboat"));
        policies.add(new RequestIdPolicy("x-ms-client-request-id"));
        policies.add(new AddHeadersFromContextPolicy());
        policies.add((context, next) -> next.process().timeout(settings.callLimit()));
        policies.add(new RetryPolicy(new BoundedRetry(settings.callLimit())));
        if (settings.endpoint().map(URI::getScheme).orElse("https").equals("http")) {
            // The SDK's own policy refuses to send a token in the clear, and a fake takes any.
            policies.add((context, next) -> {
                context.getHttpRequest().setHeader(HttpHeaderName.AUTHORIZATION, "Bearer none");
                return next.process();
            });
        } else {
            policies.add(new BearerTokenAuthenticationPolicy(
                    new DefaultAzureCredentialBuilder().build(),
                    AzureEnvironment.AZURE.getManagementEndpoint() + "/.default"));
        }
        policies.add((context, next) -> {
            // The JDK's client counts the body itself, and would warn of each request that does it too.
            context.getHttpRequest().getHeaders().remove(HttpHeaderName.CONTENT_LENGTH);
            return next.process();
        });
        return new HttpPipelineBuilder()
                .httpClient(client)
                .policies(policies.toArray(HttpPipelinePolicy[]::new))
                .build();
    }

    AzureSettings settings() {
        return settings;
    }

    ComputeManagementClient compute() {
        return compute;
    }

    NetworkManagementClient network() {
        return network;
    }

    <T> T read(Permission permission, String attempted, Supplier<T> call) {
        try {
            return call.get();
        } catch (RuntimeException e) {
            throw AzureFailures.of(e, permission, attempted, false);
        }
    }

    /** Empty when there is no such thing. */
    <T> Optional<T> find(Permission permission, String attempted, Supplier<T> call) {
        try {
            return Optional.of(read(permission, attempted, call));
        } catch (CloudException e) {
            if (e.kind() == CloudException.Kind.NOT_FOUND) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** Begins an operation; what it throws has perhaps happened when its kind is UNCLEAR. */
    <T> T begin(Permission permission, String attempted, Supplier<T> call) {
        try {
            return call.get();
        } catch (RuntimeException e) {
            throw AzureFailures.of(e, permission, attempted, true);
        }
    }

    /** Begins an operation and waits until it has ended, for as long as the settings allow. */
    <T, U> void change(Permission permission, String attempted, Supplier<SyncPoller<PollResult<T>, U>> begin) {
        SyncPoller<PollResult<T>, U> poller = begin(permission, attempted, begin);
        PollResponse<PollResult<T>> end;
        try {
            poller.setPollInterval(settings.poll());
            end = poller.waitForCompletion(settings.operationLimit());
        } catch (RuntimeException e) {
            throw AzureFailures.of(e, permission, attempted, true);
        }
        failure(end, permission, attempted).ifPresent(why -> {
            throw why;
        });
        if (!end.getStatus().isComplete()) {
            throw new CloudException(
                    CloudException.Kind.UNCLEAR,
                    "azure: not done after " + settings.operationLimit().toSeconds() + " s: " + attempted
                            + "; it goes on, look before doing it again");
        }
    }

    /** Why an operation has failed; empty unless it has. */
    static <T> Optional<CloudException> failure(
            PollResponse<PollResult<T>> response, Permission permission, String attempted) {
        if (!response.getStatus().isComplete()
                || response.getStatus().equals(LongRunningOperationStatus.SUCCESSFULLY_COMPLETED)) {
            return Optional.empty();
        }
        PollResult.Error error =
                response.getValue() == null ? null : response.getValue().getError();
        JsonNode said = error == null ? JSON.createObjectNode() : parse(error.getResponseBody());
        return Optional.of(AzureFailures.of(
                409,
                said.at("/error/code").asText(),
                said.at("/error/message").asText(String.valueOf(error == null ? "" : error.getMessage())),
                permission,
                attempted,
                true,
                null));
    }

    private static JsonNode parse(String text) {
        try {
            return text == null || text.isBlank() ? JSON.createObjectNode() : JSON.readTree(text);
        } catch (JsonProcessingException e) {
            // The code is a help only: without it the status decides.
            return JSON.createObjectNode().put("unreadable", e.getOriginalMessage());
        }
    }

    /** A call for which the SDK has no method. */
    JsonNode raw(Permission permission, String attempted, HttpMethod method, String path, Optional<JsonNode> body) {
        return read(permission, attempted, () -> {
            HttpRequest request = new HttpRequest(method, endpoint + path);
            request.setHeader(HttpHeaderName.ACCEPT, "application/json");
            body.ifPresent(json -> request.setHeader(HttpHeaderName.CONTENT_TYPE, "application/json")
                    .setBody(json.toString()));
            Context context = new Context("azure-eagerly-read-response", true);
            try (HttpResponse response = pipeline.sendSync(request, context)) {
                JsonNode said = parse(response.getBodyAsBinaryData().toString());
                if (response.getStatusCode() / 100 != 2) {
                    throw AzureFailures.of(
                            response.getStatusCode(),
                            said.at("/error/code").asText(),
                            said.at("/error/message").asText(),
                            permission,
                            attempted,
                            false,
                            null);
                }
                return said;
            }
        });
    }

    /** The request counts only while the resource is as it was read. */
    static Context ifMatch(String etag) {
        return new Context(
                AddHeadersFromContextPolicy.AZURE_REQUEST_HTTP_HEADERS_KEY,
                new HttpHeaders().set(HttpHeaderName.IF_MATCH, etag));
    }

    /** @throws CloudException of kind UNAVAILABLE when the thread is to end */
    void pause(String waitingFor) {
        try {
            Thread.sleep(settings.poll().toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloudException(
                    CloudException.Kind.UNCLEAR, "azure: interrupted while waiting for " + waitingFor, e);
        }
    }

    static String name(String id) {
        return id.substring(id.lastIndexOf('/') + 1);
    }

    static String group(String id) {
        String[] words = id.split("/");
        return words.length > 4 ? words[4] : "";
    }
}
