// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.function.Supplier;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.AssignPrivateIpAddressesRequest;
import software.amazon.awssdk.services.ec2.model.NetworkInterface;
import software.amazon.awssdk.services.ec2.model.UnassignPrivateIpAddressesRequest;

/**
 * A secondary private address, or a /28 prefix, that one call takes from one interface and gives to another of the same
 * subnet. EC2 answers before it has done it. Caller's thread.
 */
record SecondaryAddressMove(
        Ec2Client ec2, Interfaces interfaces, AddressWish wish, boolean prefix, String source, String target)
        implements AddressMove {

    static SecondaryAddressMove plan(Ec2Client ec2, Interfaces interfaces, AddressWish wish, boolean prefix) {
        NetworkInterface from = interfaces.first(wish.from());
        NetworkInterface to = interfaces.first(wish.to());
        if (!from.subnetId().equals(to.subnetId())) {
            throw new CloudException(
                    Kind.INVALID,
                    from.subnetId() + " and " + to.subnetId()
                            + " are two subnets, and such an address stays in its own: choose a target there, or route");
        }
        SecondaryAddressMove move = new SecondaryAddressMove(
                ec2, interfaces, wish, prefix, from.networkInterfaceId(), to.networkInterfaceId());
        if (wish.address().equals(from.privateIpAddress())) {
            throw new CloudException(
                    Kind.INVALID, "it is the first address of " + wish.from() + ", which cannot leave it");
        }
        if (!move.has(from) && !move.has(to)) {
            throw new CloudException(
                    Kind.NOT_FOUND, "neither of the two has it: assign it to " + from.networkInterfaceId() + " first");
        }
        return move;
    }

    /** There is nothing that EC2 wants to know ahead. */
    @Override
    public void prepare() {}

    @Override
    public void move() {
        give(source, target);
    }

    @Override
    public boolean isMoved() {
        return has(interfaces.read(target)) && !has(interfaces.read(source));
    }

    @Override
    public void undo() {
        give(target, source);
    }

    private void give(String giver, String taker) {
        if (has(interfaces.read(taker))) {
            return;
        }
        try {
            assign(taker);
        } catch (CloudException e) {
            // Only addresses are promised to be reassigned by one call. A prefix may have to be taken first.
            if (!prefix || e.kind() != Kind.INVALID || !has(interfaces.read(giver))) {
                throw e;
            }
            unassign(giver);
            assign(taker);
        }
    }

    private void assign(String taker) {
        AssignPrivateIpAddressesRequest.Builder request = AssignPrivateIpAddressesRequest.builder()
                .networkInterfaceId(taker)
                .allowReassignment(true);
        if (prefix) {
            request.ipv4Prefixes(wish.address());
        } else {
            request.privateIpAddresses(wish.address());
        }
        change(
                AwsPermission.ASSIGN_PRIVATE_IP_ADDRESSES,
                "assign it to " + taker,
                () -> ec2.assignPrivateIpAddresses(request.build()));
    }

    private void unassign(String giver) {
        change(
                AwsPermission.UNASSIGN_PRIVATE_IP_ADDRESSES,
                "take it from " + giver,
                () -> ec2.unassignPrivateIpAddresses(UnassignPrivateIpAddressesRequest.builder()
                        .networkInterfaceId(giver)
                        .ipv4Prefixes(wish.address())
                        .build()));
    }

    private static void change(AwsPermission permission, String attempted, Supplier<?> call) {
        AwsErrors.change(permission, attempted, call::get);
    }

    private boolean has(NetworkInterface found) {
        return prefix
                ? found.ipv4Prefixes().stream().anyMatch(has -> has.ipv4Prefix().equals(wish.address()))
                : found.privateIpAddresses().stream()
                        .anyMatch(has -> has.privateIpAddress().equals(wish.address()));
    }
}
