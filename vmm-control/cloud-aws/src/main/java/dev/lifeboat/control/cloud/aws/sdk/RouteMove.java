// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.List;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.NetworkInterface;
import software.amazon.awssdk.services.ec2.model.Route;
import software.amazon.awssdk.services.ec2.model.RouteTable;

/**
 * An address outside of the network's own ranges that routes lead to a host: a route in every table that has it is
 * replaced. Each step looks at all tables anew, so that half a move is finished by the next try. Caller's thread.
 */
final class RouteMove implements AddressMove {
    private final Ec2Client ec2;
    private final Interfaces interfaces;
    private final AddressWish wish;
    private final String range;
    private final String vpc;
    private final String source;
    private final String target;
    /** Whether this move has switched the target's check off. */
    private volatile boolean checkSwitchedOff;

    private RouteMove(
            Ec2Client ec2, Interfaces interfaces, AddressWish wish, NetworkInterface from, NetworkInterface to) {
        this.ec2 = ec2;
        this.interfaces = interfaces;
        this.wish = wish;
        range = wish.address().contains("/") ? wish.address() : wish.address() + "/32";
        vpc = to.vpcId();
        source = from.networkInterfaceId();
        target = to.networkInterfaceId();
    }

    static RouteMove plan(Ec2Client ec2, Interfaces interfaces, AddressWish wish) {
        NetworkInterface from = interfaces.first(wish.from());
        NetworkInterface to = interfaces.first(wish.to());
        if (!from.vpcId().equals(to.vpcId())) {
            throw new CloudException(
                    Kind.INVALID,
                    from.vpcId() + " and " + to.vpcId() + " are two networks: choose a target in the same one");
        }
        RouteMove move = new RouteMove(ec2, interfaces, wish, from, to);
        move.routes();
        return move;
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    /** Without this EC2 drops what is not for the host's own address. */
    @Override
    public void prepare() {
        if (Boolean.TRUE.equals(interfaces.read(target).sourceDestCheck())) {
            check(false);
            checkSwitchedOff = true;
        }
    }

    @Override
    public void move() {
        prepare();
        replace(target);
    }

    @Override
    public boolean isMoved() {
        return routes().stream().allMatch(found -> leadsTo(found, target));
    }

    @Override
    public void undo() {
        replace(source);
        if (checkSwitchedOff) {
            check(true);
            checkSwitchedOff = false;
        }
    }

    private void replace(String next) {
        for (InTable found : routes()) {
            if (!leadsTo(found, next)) {
                AwsErrors.change(
                        AwsPermission.REPLACE_ROUTE,
                        "lead " + range + " in " + found.table() + " to " + next,
                        () -> ec2.replaceRoute(request -> request.routeTableId(found.table())
                                .destinationCidrBlock(range)
                                .networkInterfaceId(next)));
            }
        }
    }

    private void check(boolean on) {
        AwsErrors.change(
                AwsPermission.MODIFY_NETWORK_INTERFACE_ATTRIBUTE,
                "switch the source/destination check of " + target + (on ? " on" : " off"),
                () -> ec2.modifyNetworkInterfaceAttribute(
                        request -> request.networkInterfaceId(target).sourceDestCheck(value -> value.value(on))));
    }

    private record InTable(String table, Route route) {}

    private List<InTable> routes() {
        List<RouteTable> tables = AwsErrors.look(
                AwsPermission.DESCRIBE_ROUTE_TABLES,
                "see which route tables have " + range,
                () -> ec2
                        .describeRouteTablesPaginator(request -> request.filters(
                                Interfaces.filter("route.destination-cidr-block", range),
                                Interfaces.filter("vpc-id", vpc)))
                        .routeTables()
                        .stream()
                        .toList());
        List<InTable> found = tables.stream()
                .flatMap(table -> table.routes().stream()
                        .filter(route -> range.equals(route.destinationCidrBlock()))
                        .map(route -> new InTable(table.routeTableId(), route)))
                .toList();
        if (found.isEmpty()) {
            throw new CloudException(
                    Kind.NOT_FOUND,
                    "no route table of " + vpc + " has a route for " + range
                            + ": create it once, to the host that has it");
        }
        return found;
    }

    private static boolean leadsTo(InTable found, String interfaceId) {
        return interfaceId.equals(found.route().networkInterfaceId());
    }
}
