// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.resourcemanager.network.fluent.models.RouteInner;
import com.azure.resourcemanager.network.fluent.models.RouteTableInner;
import com.azure.resourcemanager.network.models.RouteNextHopType;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.ArrayList;
import java.util.List;

/** The next hop of a user-defined route, in every route table that has it. One thread at a time. */
final class RouteMove implements AddressMove {
    private record Place(String table, String route) {}

    private final Arm arm;
    private final Interfaces interfaces;
    private final AddressWish wish;
    private final String prefix;
    private final String toId;
    private final String fromAddress;
    private final String toAddress;
    private final List<Place> places;

    private RouteMove(
            Arm arm, Interfaces interfaces, AddressWish wish, String toId, String fromAddress, String toAddress) {
        this.arm = arm;
        this.interfaces = interfaces;
        this.wish = wish;
        this.toId = toId;
        this.fromAddress = fromAddress;
        this.toAddress = toAddress;
        prefix = prefix(wish.address());
        places = new ArrayList<>();
    }

    static RouteMove plan(Arm arm, Interfaces interfaces, AddressWish wish) {
        String fromAddress =
                Interfaces.primary(interfaces.read(interfaces.of(wish.from()))).privateIpAddress();
        String toId = interfaces.of(wish.to());
        String toAddress = Interfaces.primary(interfaces.read(toId)).privateIpAddress();
        RouteMove move = new RouteMove(arm, interfaces, wish, toId, fromAddress, toAddress);
        for (RouteTableInner table : move.tables()) {
            for (RouteInner route : routes(table)) {
                if (!move.prefix.equals(route.addressPrefix())) {
                    continue;
                }
                if (!fromAddress.equals(route.nextHopIpAddress()) && !toAddress.equals(route.nextHopIpAddress())) {
                    throw AzureAddresses.cannot(
                            wish,
                            "route " + route.name() + " of table " + table.name() + " leads to "
                                    + route.nextHopIpAddress() + ", which is neither of the two hosts",
                            null);
                }
                move.places.add(new Place(table.name(), route.name()));
            }
        }
        if (move.places.isEmpty()) {
            throw AzureAddresses.cannot(
                    wish,
                    "no route table in resource group " + arm.settings().networkGroup() + " has a route for "
                            + move.prefix,
                    null);
        }
        return move;
    }

    private static String prefix(String address) {
        return address.contains("/") ? address : address + (address.contains(":") ? "/128" : "/32");
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    /** Without forwarding, Azure drops what is not for the interface's own addresses. */
    @Override
    public void prepare() {
        interfaces.change(toId, "let interface " + Arm.name(toId) + " forward", card -> {
            boolean missing = !Boolean.TRUE.equals(card.enableIpForwarding());
            card.withEnableIpForwarding(true);
            return missing;
        });
    }

    @Override
    public void move() {
        prepare();
        lead(toAddress);
    }

    @Override
    public boolean isMoved() {
        int moved = 0;
        for (RouteTableInner table : tables()) {
            for (RouteInner route : routes(table)) {
                if (prefix.equals(route.addressPrefix())) {
                    if (!toAddress.equals(route.nextHopIpAddress())) {
                        return false;
                    }
                    moved++;
                }
            }
        }
        return moved >= places.size();
    }

    @Override
    public void undo() {
        // The target may go on forwarding: that harms nobody, and another guest may need it.
        lead(fromAddress);
    }

    private void lead(String nextHop) {
        List<RouteTableInner> tables = tables();
        for (Place place : places) {
            RouteInner route = find(tables, place);
            if (nextHop.equals(route.nextHopIpAddress())) {
                continue;
            }
            String attempted = "lead " + prefix + " to " + nextHop + " in route table " + place.table();
            RouteInner changed = new RouteInner()
                    .withName(place.route())
                    .withAddressPrefix(prefix)
                    .withNextHopType(RouteNextHopType.VIRTUAL_APPLIANCE)
                    .withNextHopIpAddress(nextHop);
            arm.change(
                    Permission.WRITE_ROUTE,
                    attempted,
                    () -> arm.network()
                            .getRoutes()
                            .beginCreateOrUpdate(
                                    arm.settings().networkGroup(),
                                    place.table(),
                                    place.route(),
                                    changed,
                                    com.azure.core.util.Context.NONE));
        }
    }

    private RouteInner find(List<RouteTableInner> tables, Place place) {
        return tables.stream()
                .filter(table -> table.name().equals(place.table()))
                .flatMap(table -> routes(table).stream())
                .filter(route -> route.name().equals(place.route()))
                .findFirst()
                .orElseThrow(() -> AzureAddresses.cannot(
                        wish, "route " + place.route() + " of table " + place.table() + " is gone; plan again", null));
    }

    private List<RouteTableInner> tables() {
        return arm.read(
                Permission.READ_ROUTES,
                "list route tables",
                () -> arm
                        .network()
                        .getRouteTables()
                        .listByResourceGroup(arm.settings().networkGroup())
                        .stream()
                        .toList());
    }

    private static List<RouteInner> routes(RouteTableInner table) {
        return table.routes() == null ? List.of() : table.routes();
    }
}
