// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.AttachmentStatus;
import software.amazon.awssdk.services.ec2.model.NetworkInterface;
import software.amazon.awssdk.services.ec2.model.NetworkInterfaceStatus;

/**
 * A whole network interface, which keeps its MAC and all its addresses, goes from one instance to another in the same
 * zone: detached, free, attached. Each step begins where the interface is found. Caller's thread, for up to a minute.
 */
record InterfaceMove(Ec2Client ec2, Interfaces interfaces, AddressWish wish, String moving, AwsWait waiting)
        implements AddressMove {
    /** The first one stays. 15 is what the largest hosts take. */
    private static final int LAST_INDEX = 14;

    static InterfaceMove plan(Ec2Client ec2, Interfaces interfaces, AddressWish wish, AwsWait wait) {
        NetworkInterface from = interfaces.first(wish.from());
        NetworkInterface to = interfaces.first(wish.to());
        NetworkInterface moving = interfaces
                .withAddress(wish.address(), from.vpcId())
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND, "no network interface of " + from.vpcId() + " has " + wish.address()));
        String id = moving.networkInterfaceId();
        if (id.equals(from.networkInterfaceId()) || id.equals(to.networkInterfaceId())) {
            throw new CloudException(
                    Kind.INVALID, id + " is a host's first interface, which cannot leave it: use a further one");
        }
        Optional<String> holder = holder(moving);
        if (holder.isPresent() && !List.of(wish.from(), wish.to()).contains(holder.get())) {
            throw new CloudException(
                    Kind.INVALID, id + " is attached to " + holder.get() + ": see that the source is right");
        }
        if (!moving.availabilityZone().equals(to.availabilityZone())) {
            throw new CloudException(
                    Kind.INVALID,
                    id + " stays in " + moving.availabilityZone() + ", and " + wish.to() + " is in "
                            + to.availabilityZone() + ": choose a target in the same zone, or another way");
        }
        return new InterfaceMove(ec2, interfaces, wish, id, wait);
    }

    /** A second host cannot have it ahead. */
    @Override
    public void prepare() {}

    @Override
    public void move() {
        bring(wish.to());
    }

    @Override
    public boolean isMoved() {
        return isAt(interfaces.read(moving), wish.to());
    }

    @Override
    public void undo() {
        bring(wish.from());
    }

    private void bring(String next) {
        NetworkInterface found = interfaces.read(moving);
        Optional<String> holder = holder(found);
        if (holder.isPresent() && !holder.get().equals(next)) {
            detach(found, holder.get());
            found = await(
                    "detach " + moving + " from " + holder.get(),
                    () -> interfaces.read(moving).status() == NetworkInterfaceStatus.AVAILABLE);
        }
        if (holder(found).isEmpty()) {
            attach(next);
        }
        await("attach " + moving + " to " + next, () -> isAt(interfaces.read(moving), next));
    }

    private void detach(NetworkInterface found, String holder) {
        if (found.attachment().status() == AttachmentStatus.DETACHING) {
            return;
        }
        AwsErrors.change(
                AwsPermission.DETACH_NETWORK_INTERFACE,
                "detach " + moving + " from " + holder,
                () -> ec2.detachNetworkInterface(
                        request -> request.attachmentId(found.attachment().attachmentId())));
    }

    private void attach(String next) {
        int index = freeIndex(next);
        AwsErrors.change(
                AwsPermission.ATTACH_NETWORK_INTERFACE,
                "attach " + moving + " to " + next,
                () -> ec2.attachNetworkInterface(request ->
                        request.networkInterfaceId(moving).instanceId(next).deviceIndex(index)));
    }

    private int freeIndex(String instanceId) {
        List<Integer> taken = interfaces.of(instanceId).stream()
                .map(found -> found.attachment().deviceIndex())
                .toList();
        for (int index = 1; index <= LAST_INDEX; index++) {
            if (!taken.contains(index)) {
                return index;
            }
        }
        throw new CloudException(Kind.QUOTA, "instance " + instanceId + " has no room for a further interface");
    }

    private NetworkInterface await(String attempted, BooleanSupplier done) {
        waiting.until(() -> done.getAsBoolean() ? Optional.of(true) : Optional.empty())
                .orElseThrow(() -> new CloudException(
                        Kind.UNAVAILABLE,
                        "cannot " + attempted + " in time: EC2 still works on it; the same step goes on from here"));
        return interfaces.read(moving);
    }

    private static boolean isAt(NetworkInterface found, String instanceId) {
        return holder(found).filter(instanceId::equals).isPresent()
                && found.attachment().status() == AttachmentStatus.ATTACHED;
    }

    private static Optional<String> holder(NetworkInterface found) {
        return Optional.ofNullable(found.attachment())
                .filter(attachment -> attachment.status() != AttachmentStatus.DETACHED)
                .map(attachment -> attachment.instanceId());
    }
}
