// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressMover;
import dev.lifeboat.net.address.AddressWish;

/** Azure's three ways to deliver an address to another host. Any thread. */
final class AzureAddresses implements AddressMover {
    private final Arm arm;
    private final Interfaces interfaces;

    AzureAddresses(Arm arm, Interfaces interfaces) {
        this.arm = arm;
        this.interfaces = interfaces;
    }

    @Override
    public AddressMove plan(AddressWish wish) {
        try {
            return switch (wish.way()) {
                case "ip-configuration" -> IpConfigurationMove.plan(interfaces, wish);
                case "route" -> RouteMove.plan(arm, interfaces, wish);
                case "load-balancer" -> PoolMove.plan(arm, interfaces, wish);
                default -> throw cannot(wish, "Azure knows ip-configuration, route and load-balancer", null);
            };
        } catch (CloudException e) {
            throw cannot(wish, e.getMessage(), e);
        }
    }

    static NetworkException cannot(AddressWish wish, String why, Throwable cause) {
        return new NetworkException(
                "cannot move " + wish.address() + " by " + wish.way() + " from " + wish.from() + " to " + wish.to()
                        + ": " + why,
                cause);
    }
}
