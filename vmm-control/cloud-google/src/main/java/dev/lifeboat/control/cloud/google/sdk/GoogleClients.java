// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.api.gax.core.FixedCredentialsProvider;
import com.google.api.gax.core.FixedExecutorProvider;
import com.google.api.gax.rpc.ClientSettings;
import com.google.api.gax.rpc.StatusCode.Code;
import com.google.api.gax.rpc.UnaryCallSettings;
import com.google.auth.Credentials;
import com.google.auth.oauth2.AccessToken;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.cloud.compute.v1.DisksClient;
import com.google.cloud.compute.v1.DisksSettings;
import com.google.cloud.compute.v1.ForwardingRulesClient;
import com.google.cloud.compute.v1.ForwardingRulesSettings;
import com.google.cloud.compute.v1.GlobalOperationsClient;
import com.google.cloud.compute.v1.GlobalOperationsSettings;
import com.google.cloud.compute.v1.InstancesClient;
import com.google.cloud.compute.v1.InstancesSettings;
import com.google.cloud.compute.v1.MachineTypesClient;
import com.google.cloud.compute.v1.MachineTypesSettings;
import com.google.cloud.compute.v1.NetworkEndpointGroupsClient;
import com.google.cloud.compute.v1.NetworkEndpointGroupsSettings;
import com.google.cloud.compute.v1.RegionBackendServicesClient;
import com.google.cloud.compute.v1.RegionBackendServicesSettings;
import com.google.cloud.compute.v1.RegionOperationsClient;
import com.google.cloud.compute.v1.RegionOperationsSettings;
import com.google.cloud.compute.v1.RoutesClient;
import com.google.cloud.compute.v1.RoutesSettings;
import com.google.cloud.compute.v1.SubnetworksClient;
import com.google.cloud.compute.v1.SubnetworksSettings;
import com.google.cloud.compute.v1.ZoneOperationsClient;
import com.google.cloud.compute.v1.ZoneOperationsSettings;
import dev.lifeboat.control.cloud.CloudException;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * The SDK's clients with one limit and one way to repeat: every changing request carries a request id, so that
 * repeating it is harmless. Daemon threads {@code google-sdk}. Any thread may call.
 */
final class GoogleClients implements AutoCloseable {
    private static final Set<Code> MAY_PASS =
            Set.of(Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.INTERNAL, Code.UNKNOWN);
    private static final int SDK_THREADS = 2;
    private static final long CLOSE_SECONDS = 5;

    final GoogleRest rest;
    final InstancesClient instances;
    final DisksClient disks;
    final MachineTypesClient machineTypes;
    final ZoneOperationsClient zoneOperations;
    final RegionOperationsClient regionOperations;
    final GlobalOperationsClient globalOperations;
    final SubnetworksClient subnetworks;
    final RoutesClient routes;
    final ForwardingRulesClient forwardingRules;
    final RegionBackendServicesClient backendServices;
    final NetworkEndpointGroupsClient groups;
    private final GoogleSettings settings;
    private final Credentials credentials;
    private final ScheduledExecutorService executor;
    private final List<AutoCloseable> open = new ArrayList<>();

    GoogleClients(GoogleSettings settings) {
        this.settings = settings;
        credentials = credentials(settings);
        rest = new GoogleRest(credentials, settings.callLimit());
        executor = Executors.newScheduledThreadPool(SDK_THREADS, action -> {
            Thread thread = new Thread(action, "google-sdk");
            thread.setDaemon(true);
            return thread;
        });
        try {
            instances = opened(InstancesClient.create(with(InstancesSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            disks = opened(DisksClient.create(with(DisksSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            machineTypes = opened(MachineTypesClient.create(with(MachineTypesSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            zoneOperations = opened(ZoneOperationsClient.create(with(ZoneOperationsSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            regionOperations = opened(RegionOperationsClient.create(with(RegionOperationsSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            globalOperations = opened(GlobalOperationsClient.create(with(GlobalOperationsSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            subnetworks = opened(SubnetworksClient.create(with(SubnetworksSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            routes = opened(RoutesClient.create(with(RoutesSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            forwardingRules = opened(ForwardingRulesClient.create(with(ForwardingRulesSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            backendServices = opened(RegionBackendServicesClient.create(with(RegionBackendServicesSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
            groups = opened(NetworkEndpointGroupsClient.create(with(NetworkEndpointGroupsSettings.newBuilder())
                    .applyToAllUnaryMethods(this::limit)
                    .build()));
        } catch (IOException e) {
            close();
            throw new CloudException(
                    CloudException.Kind.INVALID, "cannot make the clients of Compute Engine: " + e.getMessage(), e);
        }
    }

    private static Credentials credentials(GoogleSettings settings) {
        if (settings.endpoint().isPresent()
                && "http".equals(settings.endpoint().get().getScheme())) {
            return GoogleCredentials.create(
                    new AccessToken("test", Date.from(Instant.now().plusSeconds(TimeUnit.DAYS.toSeconds(365)))));
        }
        try {
            return GoogleCredentials.getApplicationDefault()
                    .createScoped("https://www.googleapis.com/auth/cloud-platform");
        } catch (IOException e) {
            throw new CloudException(
                    CloudException.Kind.DENIED,
                    "no credentials for Google Cloud: run gcloud auth application-default login, name a key file in"
                            + " GOOGLE_APPLICATION_CREDENTIALS, or give this instance a service account",
                    e);
        }
    }

    private <B extends ClientSettings.Builder<?, ?>> B with(B builder) {
        builder.setCredentialsProvider(FixedCredentialsProvider.create(credentials));
        builder.setBackgroundExecutorProvider(FixedExecutorProvider.create(executor));
        settings.endpoint().ifPresent(uri -> builder.setEndpoint(uri.toString()));
        return builder;
    }

    private Void limit(UnaryCallSettings.Builder<?, ?> call) {
        call.setRetrySettings(GoogleRepeats.ofCall(settings.callLimit()));
        call.setRetryableCodes(MAY_PASS);
        return null;
    }

    private <C extends AutoCloseable> C opened(C client) {
        open.add(client);
        return client;
    }

    @Override
    public void close() {
        for (AutoCloseable client : open) {
            try {
                client.close();
            } catch (Exception e) {
                throw new CloudException(
                        CloudException.Kind.UNAVAILABLE, "cannot close a client of Compute Engine: " + e, e);
            }
        }
        executor.shutdownNow();
        try {
            executor.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
