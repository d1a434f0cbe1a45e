// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.cloud.compute.v1.Operation;
import com.google.cloud.compute.v1.SimulateMaintenanceEventInstanceRequest;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.net.address.AddressMover;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** One project in one region. Any thread. */
final class GoogleCloud implements Cloud {
    private final GoogleCalls calls;
    private final GoogleMarket market;
    private final GoogleVolumes volumes;
    private final GoogleAddresses addresses;

    GoogleCloud(GoogleSettings settings) {
        calls = new GoogleCalls(settings);
        market = new GoogleMarket(calls);
        volumes = new GoogleVolumes(calls);
        addresses = new GoogleAddresses(calls);
    }

    @Override
    public CloudKind kind() {
        return CloudKind.GOOGLE;
    }

    @Override
    public TargetMarket market() {
        return market;
    }

    @Override
    public Volumes volumes() {
        return volumes;
    }

    @Override
    public AddressMover addresses() {
        return addresses;
    }

    /** None: a preemption is seen inside the instance only, and outside when it is over. */
    @Override
    public List<PreemptionSource> sources() {
        return List.of();
    }

    @Override
    public void rehearse(String instanceId) {
        GoogleId id = GoogleId.of(instanceId);
        SimulateMaintenanceEventInstanceRequest request = SimulateMaintenanceEventInstanceRequest.newBuilder()
                .setProject(calls.settings().project())
                .setZone(id.zone())
                .setInstance(id.name())
                .setRequestId(GoogleCalls.newRequestId())
                .build();
        Operation begun = calls.change(
                "simulate the preemption of " + id,
                GooglePermission.SIMULATE,
                c -> c.instances.simulateMaintenanceEventCallable().call(request));
        GoogleCalls.failIfFailed("simulate the preemption of " + id, GooglePermission.SIMULATE, begun);
    }

    /** Asks for all permissions in one call that anybody may make. */
    @Override
    public List<Finding> check() {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        ArrayNode asked = body.putArray("permissions");
        for (GooglePermission each : GooglePermission.values()) {
            asked.add(each.permission());
        }
        String base =
                calls.settings().endpoint().map(URI::toString).orElse("https://cloudresourcemanager.googleapis.com");
        URI uri = URI.create(base + "/v1/projects/" + calls.settings().project() + ":testIamPermissions");
        JsonNode answer = calls.call(
                "ask which permissions are there in " + calls.settings().project(),
                GooglePermission.ZONES_GET,
                false,
                () -> calls.clients().rest.call("POST", uri, GoogleRest.write(body)));
        Set<String> granted = new HashSet<>();
        answer.path("permissions").forEach(permission -> granted.add(permission.asText()));
        List<Finding> findings = new ArrayList<>();
        for (GooglePermission each : GooglePermission.values()) {
            boolean works = granted.contains(each.permission());
            String advice = works
                    ? ""
                    : "add " + each.permission() + " to the service account's role (docs/policies/gcp-role.yaml)";
            findings.add(new Finding(each.ability(), each.permission(), works, advice));
        }
        return findings;
    }

    /** Uses both ways to the service, for each has its own connections and classes. */
    @Override
    public void warmUp() {
        GoogleSettings settings = calls.settings();
        String zone = settings.zones().get(0);
        calls.call(
                "warm up with zone " + zone,
                GooglePermission.ZONES_GET,
                false,
                () -> calls.clients()
                        .rest
                        .call(
                                "GET",
                                URI.create(calls.compute() + "/projects/" + settings.project() + "/zones/" + zone),
                                ""));
        market.bought("warm-up");
    }

    @Override
    public void close() {
        calls.close();
    }
}
