// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.Address;
import software.amazon.awssdk.services.ec2.model.NetworkInterface;

/** A public address that is associated with another host's first private address. Caller's thread. */
record ElasticAddressMove(Ec2Client ec2, AddressWish wish, String allocation, Place source, Place target)
        implements AddressMove {

    /** An interface and its private address that the public one leads to. */
    record Place(String interfaceId, String privateAddress) {
        boolean has(Address address) {
            return interfaceId.equals(address.networkInterfaceId())
                    && privateAddress.equals(address.privateIpAddress());
        }
    }

    static ElasticAddressMove plan(Ec2Client ec2, Interfaces interfaces, AddressWish wish) {
        Address address = read(ec2, wish);
        NetworkInterface from = interfaces.first(wish.from());
        NetworkInterface to = interfaces.first(wish.to());
        // It may lead to a secondary address of the source, and goes back there.
        boolean atSource = from.networkInterfaceId().equals(address.networkInterfaceId());
        boolean atTarget = to.networkInterfaceId().equals(address.networkInterfaceId());
        if (address.networkInterfaceId() != null && !atSource && !atTarget) {
            throw new CloudException(
                    Kind.INVALID,
                    address.networkInterfaceId() + " has it, which is of neither host: see that the source is right");
        }
        return new ElasticAddressMove(
                ec2,
                wish,
                address.allocationId(),
                new Place(from.networkInterfaceId(), atSource ? address.privateIpAddress() : from.privateIpAddress()),
                new Place(to.networkInterfaceId(), to.privateIpAddress()));
    }

    /** There is nothing that EC2 wants to know ahead. */
    @Override
    public void prepare() {}

    @Override
    public void move() {
        associate(target);
    }

    @Override
    public boolean isMoved() {
        return target.has(read(ec2, wish));
    }

    @Override
    public void undo() {
        associate(source);
    }

    private void associate(Place place) {
        if (place.has(read(ec2, wish))) {
            return;
        }
        AwsErrors.change(
                AwsPermission.ASSOCIATE_ADDRESS,
                "associate " + wish.address() + " with " + place.interfaceId(),
                () -> ec2.associateAddress(request -> request.allocationId(allocation)
                        .networkInterfaceId(place.interfaceId())
                        .privateIpAddress(place.privateAddress())
                        .allowReassociation(true)));
    }

    private static Address read(Ec2Client ec2, AddressWish wish) {
        return AwsErrors.look(
                        AwsPermission.DESCRIBE_ADDRESSES,
                        "see where " + wish.address() + " is",
                        () -> ec2.describeAddresses(request -> request.publicIps(wish.address()))
                                .addresses())
                .stream()
                .findFirst()
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND, "this account has no Elastic IP " + wish.address() + " in this region"));
    }
}
