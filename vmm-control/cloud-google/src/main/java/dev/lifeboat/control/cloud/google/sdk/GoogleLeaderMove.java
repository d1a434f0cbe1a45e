// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.cloud.compute.v1.AttachNetworkEndpointsNetworkEndpointGroupRequest;
import com.google.cloud.compute.v1.Backend;
import com.google.cloud.compute.v1.BackendService;
import com.google.cloud.compute.v1.BackendServiceHAPolicyLeader;
import com.google.cloud.compute.v1.BackendServiceHAPolicyLeaderNetworkEndpoint;
import com.google.cloud.compute.v1.ForwardingRule;
import com.google.cloud.compute.v1.NetworkEndpoint;
import com.google.cloud.compute.v1.NetworkEndpointGroupsAttachEndpointsRequest;
import com.google.cloud.compute.v1.NetworkEndpointGroupsListEndpointsRequest;
import com.google.cloud.compute.v1.NetworkEndpointWithHealthStatus;
import com.google.cloud.compute.v1.Operation;
import com.google.cloud.compute.v1.PatchRegionBackendServiceRequest;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;

/**
 * The address of a forwarding rule whose backend service has {@code haPolicy.fastIPMove=GARP_RA}: packets follow the
 * target's gratuitous ARP at once, and the leader set here makes that last. On the caller's thread.
 */
final class GoogleLeaderMove implements AddressMove {
    private final GoogleCalls calls;
    private final AddressWish wish;
    private final String service;
    private final GoogleId from;
    private final GoogleId to;

    private GoogleLeaderMove(GoogleCalls calls, AddressWish wish, String service, GoogleId from, GoogleId to) {
        this.calls = calls;
        this.wish = wish;
        this.service = service;
        this.from = from;
        this.to = to;
    }

    static AddressMove plan(GoogleCalls calls, AddressWish wish, GoogleId from, GoogleId to) {
        String project = calls.settings().project();
        String region = calls.settings().region();
        String service = calls.read(
                "find the forwarding rule of " + wish.address(), GooglePermission.FORWARDING_RULES_LIST, c -> {
                    for (ForwardingRule rule :
                            c.forwardingRules.list(project, region).iterateAll()) {
                        if (rule.getIPAddress().equals(wish.address())) {
                            return GoogleId.last(rule.getBackendService());
                        }
                    }
                    throw new NetworkException(
                            "no forwarding rule in " + region + " has the address " + wish.address(), null);
                });
        GoogleLeaderMove move = new GoogleLeaderMove(calls, wish, service, from, to);
        BackendService found = move.service();
        if (!found.getHaPolicy().getFastIPMove().equals("GARP_RA")) {
            throw new NetworkException(
                    "backend service " + service + " does not follow gratuitous ARP: make it anew with"
                            + " haPolicy.fastIPMove GARP_RA",
                    null);
        }
        move.group(found, to);
        return move;
    }

    private BackendService service() {
        return calls.read(
                "describe backend service " + service,
                GooglePermission.BACKEND_SERVICES_GET,
                c -> c.backendServices.get(
                        calls.settings().project(), calls.settings().region(), service));
    }

    private String group(BackendService found, GoogleId member) {
        return found.getBackendsList().stream()
                .map(Backend::getGroup)
                .filter(group -> group.contains("/zones/" + member.zone() + "/networkEndpointGroups/"))
                .findFirst()
                .orElseThrow(() -> new NetworkException(
                        "backend service " + service + " has no network endpoint group in " + member.zone() + ", where "
                                + member + " is. Add one of type GCE_VM_IP",
                        null));
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    @Override
    public void prepare() {
        join(to);
    }

    private void join(GoogleId member) {
        String group = GoogleId.last(group(service(), member));
        String project = calls.settings().project();
        boolean isMember = calls.read("list the members of " + group, GooglePermission.GROUPS_GET, c -> {
            for (NetworkEndpointWithHealthStatus each : c.groups
                    .listNetworkEndpoints(
                            project,
                            member.zone(),
                            group,
                            NetworkEndpointGroupsListEndpointsRequest.getDefaultInstance())
                    .iterateAll()) {
                if (GoogleId.last(each.getNetworkEndpoint().getInstance()).equals(member.name())) {
                    return true;
                }
            }
            return false;
        });
        if (isMember) {
            return;
        }
        AttachNetworkEndpointsNetworkEndpointGroupRequest request =
                AttachNetworkEndpointsNetworkEndpointGroupRequest.newBuilder()
                        .setProject(project)
                        .setZone(member.zone())
                        .setNetworkEndpointGroup(group)
                        .setRequestId(GoogleCalls.newRequestId())
                        .setNetworkEndpointGroupsAttachEndpointsRequestResource(
                                NetworkEndpointGroupsAttachEndpointsRequest.newBuilder()
                                        .addNetworkEndpoints(NetworkEndpoint.newBuilder()
                                                .setInstance("projects/" + project + "/" + member.path("instances"))))
                        .build();
        String attempted = "add " + member + " to " + group;
        Operation begun = calls.change(
                attempted,
                GooglePermission.GROUPS_ATTACH,
                c -> c.groups.attachNetworkEndpointsCallable().call(request));
        calls.await(attempted, GooglePermission.GROUPS_ATTACH, begun);
    }

    @Override
    public void move() {
        join(to);
        lead(to);
    }

    @Override
    public boolean isMoved() {
        return isLeader(service(), to);
    }

    @Override
    public void undo() {
        lead(from);
    }

    private boolean isLeader(BackendService found, GoogleId id) {
        BackendServiceHAPolicyLeader leader = found.getHaPolicy().getLeader();
        return GoogleId.last(leader.getNetworkEndpoint().getInstance()).equals(id.name())
                && leader.getBackendGroup().contains("/zones/" + id.zone() + "/");
    }

    private void lead(GoogleId wanted) {
        BackendService found = service();
        if (isLeader(found, wanted)) {
            return;
        }
        BackendServiceHAPolicyLeader leader = BackendServiceHAPolicyLeader.newBuilder()
                .setBackendGroup(group(found, wanted))
                .setNetworkEndpoint(
                        BackendServiceHAPolicyLeaderNetworkEndpoint.newBuilder().setInstance(wanted.name()))
                .build();
        PatchRegionBackendServiceRequest request = PatchRegionBackendServiceRequest.newBuilder()
                .setProject(calls.settings().project())
                .setRegion(calls.settings().region())
                .setBackendService(service)
                .setRequestId(GoogleCalls.newRequestId())
                .setBackendServiceResource(BackendService.newBuilder()
                        .setFingerprint(found.getFingerprint())
                        .setHaPolicy(found.getHaPolicy().toBuilder().setLeader(leader)))
                .build();
        String attempted = "make " + wanted + " the leader of " + service;
        Operation begun = calls.change(
                attempted,
                GooglePermission.BACKEND_SERVICES_UPDATE,
                c -> c.backendServices.patchCallable().call(request));
        calls.await(attempted, GooglePermission.BACKEND_SERVICES_UPDATE, begun);
    }
}
