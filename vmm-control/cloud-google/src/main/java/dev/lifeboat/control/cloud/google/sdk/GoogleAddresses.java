// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressMover;
import dev.lifeboat.net.address.AddressWish;

/** Alias ranges, routes, and leaders of load balancers that move by gratuitous ARP. Any thread. */
final class GoogleAddresses implements AddressMover {
    private final GoogleCalls calls;

    GoogleAddresses(GoogleCalls calls) {
        this.calls = calls;
    }

    @Override
    public AddressMove plan(AddressWish wish) {
        String range = wish.address().contains("/") ? wish.address() : wish.address() + "/32";
        GoogleId from = GoogleId.of(wish.from());
        GoogleId to = GoogleId.of(wish.to());
        return switch (wish.way()) {
            case "alias" -> GoogleAliasMove.plan(calls, wish, range, from, to);
            case "route" -> GoogleRouteMove.plan(calls, wish, range, from, to);
            case "garp-leader" -> GoogleLeaderMove.plan(calls, wish, from, to);
            default ->
                throw new NetworkException(
                        "Google Cloud has no way \"" + wish.way() + "\": use alias, route or garp-leader", null);
        };
    }
}
