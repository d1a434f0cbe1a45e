// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import java.util.List;

/**
 * Everything that the program may need to be allowed, with the ability that is lost without it and the API's methods
 * that ask for it. {@code docs/policies/gcp-role.yaml} is this list.
 */
enum GooglePermission {
    INSTANCES_CREATE("buy hosts", "compute.instances.create", "instances.insert"),
    INSTANCES_SET_METADATA("buy hosts", "compute.instances.setMetadata", "instances.insert"),
    INSTANCES_SET_LABELS("buy hosts", "compute.instances.setLabels", "instances.insert"),
    INSTANCES_SET_SERVICE_ACCOUNT("buy hosts", "compute.instances.setServiceAccount", "instances.insert"),
    SUBNETWORKS_USE("buy hosts", "compute.subnetworks.use", "instances.insert", "instances.updateNetworkInterface"),
    DISKS_CREATE("buy hosts, make volumes", "compute.disks.create", "instances.insert", "disks.insert"),
    DISKS_SET_LABELS("make volumes", "compute.disks.setLabels", "disks.insert"),
    ZONES_GET("warm up", "compute.zones.get", "zones.get"),
    MACHINE_TYPES_LIST("choose sizes", "compute.machineTypes.list", "machineTypes.list"),
    INSTANCES_GET("see hosts", "compute.instances.get", "instances.get"),
    INSTANCES_LIST("see hosts", "compute.instances.list", "instances.aggregatedList"),
    INSTANCES_DELETE("release hosts", "compute.instances.delete", "instances.delete"),
    INSTANCES_STOP("keep stopped hosts", "compute.instances.stop", "instances.stop"),
    INSTANCES_START("keep stopped hosts", "compute.instances.start", "instances.start"),
    ZONE_OPERATIONS_GET("follow operations", "compute.zoneOperations.get", "zoneOperations.get"),
    REGION_OPERATIONS_GET("follow operations", "compute.regionOperations.get", "regionOperations.get"),
    GLOBAL_OPERATIONS_GET("follow operations", "compute.globalOperations.get", "globalOperations.get"),
    DISKS_GET("see volumes", "compute.disks.get", "disks.get"),
    DISKS_LIST("see volumes", "compute.disks.list", "disks.list"),
    DISKS_DELETE("delete volumes", "compute.disks.delete", "disks.delete"),
    DISKS_USE("attach volumes", "compute.disks.use", "instances.attachDisk"),
    INSTANCES_ATTACH_DISK("attach volumes", "compute.instances.attachDisk", "instances.attachDisk"),
    INSTANCES_DETACH_DISK("detach volumes", "compute.instances.detachDisk", "instances.detachDisk"),
    SUBNETWORKS_GET("move alias ranges", "compute.subnetworks.get", "subnetworks.get"),
    INSTANCES_UPDATE_INTERFACE(
            "move alias ranges", "compute.instances.updateNetworkInterface", "instances.updateNetworkInterface"),
    ROUTES_LIST("move routes", "compute.routes.list", "routes.list"),
    ROUTES_CREATE("move routes", "compute.routes.create", "routes.insert"),
    ROUTES_DELETE("move routes", "compute.routes.delete", "routes.delete"),
    NETWORKS_UPDATE_POLICY("move routes", "compute.networks.updatePolicy", "routes.insert", "routes.delete"),
    FORWARDING_RULES_LIST("move leaders", "compute.forwardingRules.list", "forwardingRules.list"),
    BACKEND_SERVICES_GET("move leaders", "compute.regionBackendServices.get", "regionBackendServices.get"),
    BACKEND_SERVICES_UPDATE("move leaders", "compute.regionBackendServices.update", "regionBackendServices.patch"),
    GROUPS_GET("move leaders", "compute.networkEndpointGroups.get", "networkEndpointGroups.listNetworkEndpoints"),
    GROUPS_USE("move leaders", "compute.networkEndpointGroups.use", "regionBackendServices.patch"),
    GROUPS_ATTACH(
            "move leaders",
            "compute.networkEndpointGroups.attachNetworkEndpoints",
            "networkEndpointGroups.attachNetworkEndpoints"),
    INSTANCES_USE(
            "move routes and leaders",
            "compute.instances.use",
            "routes.insert",
            "networkEndpointGroups.attachNetworkEndpoints"),
    SIMULATE(
            "rehearse preemptions", "compute.instances.simulateMaintenanceEvent", "instances.simulateMaintenanceEvent"),
    ACT_AS("give hosts a service account", "iam.serviceAccounts.actAs", "instances.insert");

    private final String ability;
    private final String permission;
    private final List<String> calls;

    GooglePermission(String ability, String permission, String... calls) {
        this.ability = ability;
        this.permission = permission;
        this.calls = List.of(calls);
    }

    String ability() {
        return ability;
    }

    String permission() {
        return permission;
    }

    List<String> calls() {
        return calls;
    }

    /** The custom role for {@code gcloud iam roles create --file}. */
    static String role() {
        StringBuilder yaml = new StringBuilder("title: Lifeboat\n"
                + "description: What Lifeboat's controllers call, and nothing else\n"
                + "stage: GA\nincludedPermissions:\n");
        for (GooglePermission each : values()) {
            yaml.append("- ").append(each.permission).append('\n');
        }
        return yaml.toString();
    }
}
