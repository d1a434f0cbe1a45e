// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.management.SubResource;
import com.azure.resourcemanager.network.fluent.models.BackendAddressPoolInner;
import com.azure.resourcemanager.network.fluent.models.FrontendIpConfigurationInner;
import com.azure.resourcemanager.network.fluent.models.LoadBalancerInner;
import com.azure.resourcemanager.network.fluent.models.LoadBalancingRuleInner;
import com.azure.resourcemanager.network.fluent.models.NetworkInterfaceIpConfigurationInner;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * An internal load balancer's front end whose back end pools hold one host: the target's interface enters each pool before
 * the source's leaves it. Pools of interfaces only, not of addresses. One thread at a time.
 */
final class PoolMove implements AddressMove {
    private final Interfaces interfaces;
    private final AddressWish wish;
    private final String fromId;
    private final String toId;
    private final Set<String> pools;

    private PoolMove(Interfaces interfaces, AddressWish wish, String fromId, String toId, Set<String> pools) {
        this.interfaces = interfaces;
        this.wish = wish;
        this.fromId = fromId;
        this.toId = toId;
        this.pools = pools;
    }

    static PoolMove plan(Arm arm, Interfaces interfaces, AddressWish wish) {
        List<LoadBalancerInner> all = arm.read(
                Permission.READ_BALANCERS,
                "list load balancers",
                () -> arm
                        .network()
                        .getLoadBalancers()
                        .listByResourceGroup(arm.settings().networkGroup())
                        .stream()
                        .toList());
        Set<String> pools = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
        for (LoadBalancerInner balancer : all) {
            for (FrontendIpConfigurationInner front : orEmpty(balancer.frontendIpConfigurations())) {
                if (wish.address().equals(front.privateIpAddress())) {
                    pools.addAll(poolsOf(balancer, front.id()));
                }
            }
        }
        if (pools.isEmpty()) {
            throw AzureAddresses.cannot(
                    wish,
                    "no load balancer in resource group " + arm.settings().networkGroup()
                            + " has it as a private front end with a rule and a pool",
                    null);
        }
        PoolMove move = new PoolMove(interfaces, wish, interfaces.of(wish.from()), interfaces.of(wish.to()), pools);
        if (!move.isIn(move.fromId, false) && !move.isIn(move.toId, false)) {
            throw AzureAddresses.cannot(
                    wish, "neither host's interface is in " + pools + "; pools of addresses do not move", null);
        }
        return move;
    }

    private static Set<String> poolsOf(LoadBalancerInner balancer, String frontId) {
        Set<String> pools = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
        for (LoadBalancingRuleInner rule : orEmpty(balancer.loadBalancingRules())) {
            if (rule.frontendIpConfiguration() == null
                    || !frontId.equalsIgnoreCase(rule.frontendIpConfiguration().id())) {
                continue;
            }
            List<SubResource> named = new ArrayList<>(orEmpty(rule.backendAddressPools()));
            if (rule.backendAddressPool() != null) {
                named.add(rule.backendAddressPool());
            }
            named.forEach(pool -> pools.add(pool.id()));
        }
        return pools;
    }

    private static <T> List<T> orEmpty(List<T> list) {
        return list == null ? List.of() : list;
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    @Override
    public void prepare() {
        // In the pool, the target would get connections at once.
    }

    @Override
    public void move() {
        enter(toId);
        leave(fromId);
    }

    @Override
    public boolean isMoved() {
        return isIn(toId, true) && !isIn(fromId, false);
    }

    @Override
    public void undo() {
        enter(fromId);
        leave(toId);
    }

    /** @param all in each of the pools; otherwise in any */
    private boolean isIn(String cardId, boolean all) {
        Set<String> there = poolsOf(Interfaces.primary(interfaces.read(cardId)));
        return all ? there.containsAll(pools) : there.stream().anyMatch(pools::contains);
    }

    private static Set<String> poolsOf(NetworkInterfaceIpConfigurationInner ip) {
        Set<String> there = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
        orEmpty(ip.loadBalancerBackendAddressPools()).forEach(pool -> there.add(pool.id()));
        return there;
    }

    private void enter(String cardId) {
        interfaces.change(
                cardId, "put interface " + Arm.name(cardId) + " into the pools of " + wish.address(), card -> {
                    NetworkInterfaceIpConfigurationInner ip = Interfaces.primary(card);
                    Set<String> missing = new TreeSet<>(pools);
                    missing.removeAll(poolsOf(ip));
                    List<BackendAddressPoolInner> changed =
                            new ArrayList<>(orEmpty(ip.loadBalancerBackendAddressPools()));
                    missing.forEach(id -> changed.add(new BackendAddressPoolInner().withId(id)));
                    ip.withLoadBalancerBackendAddressPools(changed);
                    return !missing.isEmpty();
                });
    }

    private void leave(String cardId) {
        interfaces.change(
                cardId, "take interface " + Arm.name(cardId) + " out of the pools of " + wish.address(), card -> {
                    NetworkInterfaceIpConfigurationInner ip = Interfaces.primary(card);
                    List<BackendAddressPoolInner> rest = new ArrayList<>(orEmpty(ip.loadBalancerBackendAddressPools()));
                    boolean altered = rest.removeIf(pool -> pools.contains(pool.id()));
                    ip.withLoadBalancerBackendAddressPools(rest);
                    return altered;
                });
    }
}
