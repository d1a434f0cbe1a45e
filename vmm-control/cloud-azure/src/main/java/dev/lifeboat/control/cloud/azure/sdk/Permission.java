// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

/**
 * Everything that the program can need of Azure: which ability needs which permission for which calls. {@code
 * docs/policies/azure-role.json} is made of it, see {@link RoleDocument}.
 */
enum Permission {
    READ_SELF(Ability.LOOK, "Microsoft.Authorization/permissions/read", "Permissions.List, for check()"),
    READ_SIZES(Ability.LOOK, "Microsoft.Compute/skus/read", "ResourceSkus.List"),
    READ_QUOTA(Ability.LOOK, "Microsoft.Compute/locations/usages/read", "Usage.List, for check()"),
    READ_SCORES(
            Ability.LOOK, "Microsoft.Compute/locations/placementScores/generate/action", "SpotPlacementScores.Post"),
    READ_HOST(Ability.LOOK, "Microsoft.Compute/virtualMachines/read", "VirtualMachines.Get, .List"),
    READ_OPERATION(Ability.LOOK, "Microsoft.Compute/locations/operations/read", "polling of operations on hosts"),
    READ_INTERFACE(Ability.LOOK, "Microsoft.Network/networkInterfaces/read", "NetworkInterfaces.Get, .List"),

    BUY(Ability.HOSTS, "Microsoft.Compute/virtualMachines/write", "VirtualMachines.CreateOrUpdate"),
    BUY_INTERFACE(
            Ability.HOSTS,
            "Microsoft.Network/networkInterfaces/write",
            "the interface inside of VirtualMachines.CreateOrUpdate; NetworkInterfaces.CreateOrUpdate"),
    USE_INTERFACE(Ability.HOSTS, "Microsoft.Network/networkInterfaces/join/action", "VirtualMachines.CreateOrUpdate"),
    DELETE_INTERFACE(
            Ability.HOSTS, "Microsoft.Network/networkInterfaces/delete", "with the host: VirtualMachines.Delete"),
    USE_SUBNET(
            Ability.HOSTS,
            "Microsoft.Network/virtualNetworks/subnets/join/action",
            "VirtualMachines.CreateOrUpdate, NetworkInterfaces.CreateOrUpdate"),
    USE_SECURITY_GROUP(
            Ability.HOSTS,
            "Microsoft.Network/networkSecurityGroups/join/action",
            "VirtualMachines.CreateOrUpdate, NetworkInterfaces.CreateOrUpdate"),
    RELEASE(Ability.HOSTS, "Microsoft.Compute/virtualMachines/delete", "VirtualMachines.Delete"),
    STOP(Ability.HOSTS, "Microsoft.Compute/virtualMachines/deallocate/action", "VirtualMachines.Deallocate"),
    START(Ability.HOSTS, "Microsoft.Compute/virtualMachines/start/action", "VirtualMachines.Start"),

    READ_DISK(Ability.DISKS, "Microsoft.Compute/disks/read", "Disks.Get, .ListByResourceGroup"),
    CREATE_DISK(Ability.DISKS, "Microsoft.Compute/disks/write", "Disks.CreateOrUpdate; also a host's own disk"),
    DELETE_DISK(Ability.DISKS, "Microsoft.Compute/disks/delete", "Disks.Delete; also a host's own disk"),
    READ_DISK_OPERATION(
            Ability.DISKS, "Microsoft.Compute/locations/diskOperations/read", "polling of operations on disks"),
    ATTACH_DISK(
            Ability.DISKS,
            "Microsoft.Compute/virtualMachines/attachDetachDataDisks/action",
            "VirtualMachines.AttachDetachDataDisks"),

    READ_NETWORK_OPERATION(
            Ability.ADDRESSES, "Microsoft.Network/locations/operations/read", "polling of operations on networks"),
    READ_ROUTES(Ability.ADDRESSES, "Microsoft.Network/routeTables/read", "RouteTables.List"),
    WRITE_ROUTE(Ability.ADDRESSES, "Microsoft.Network/routeTables/routes/write", "Routes.CreateOrUpdate"),
    READ_BALANCERS(Ability.ADDRESSES, "Microsoft.Network/loadBalancers/read", "LoadBalancers.List"),
    JOIN_POOL(
            Ability.ADDRESSES,
            "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
            "NetworkInterfaces.CreateOrUpdate"),

    REHEARSE(
            Ability.REHEARSAL,
            "Microsoft.Compute/virtualMachines/simulateEviction/action",
            "VirtualMachines.SimulateEviction");

    /** What an operator wants to be able to do. */
    enum Ability {
        LOOK("look at hosts, sizes and quotas"),
        HOSTS("buy, stop and release hosts"),
        DISKS("create, attach and delete disks"),
        ADDRESSES("move addresses"),
        REHEARSAL("rehearse an eviction");

        private final String words;

        Ability(String words) {
            this.words = words;
        }

        String words() {
            return words;
        }
    }

    private final Ability ability;
    private final String action;
    private final String calls;

    Permission(Ability ability, String action, String calls) {
        this.ability = ability;
        this.action = action;
        this.calls = calls;
    }

    Ability ability() {
        return ability;
    }

    /** Azure's name of it. */
    String action() {
        return action;
    }

    /** The operations of the REST API that need it. */
    String calls() {
        return calls;
    }
}
