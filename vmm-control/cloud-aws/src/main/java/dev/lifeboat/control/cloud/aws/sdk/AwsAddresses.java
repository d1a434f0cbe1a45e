// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressMover;
import dev.lifeboat.net.address.AddressWish;
import java.util.function.Supplier;
import software.amazon.awssdk.services.ec2.Ec2Client;

/** EC2's ways to deliver an address to another host. Any thread. */
final class AwsAddresses implements AddressMover {
    private final Ec2Client ec2;
    private final AwsWait wait;

    AwsAddresses(Ec2Client ec2, AwsWait wait) {
        this.ec2 = ec2;
        this.wait = wait;
    }

    @Override
    public AddressMove plan(AddressWish wish) {
        return named(wish, () -> {
            Interfaces interfaces = new Interfaces(ec2);
            AddressMove move = switch (wish.way()) {
                case "secondary-ip" -> SecondaryAddressMove.plan(ec2, interfaces, wish, false);
                case "prefix" -> SecondaryAddressMove.plan(ec2, interfaces, wish, true);
                case "route" -> RouteMove.plan(ec2, interfaces, wish);
                case "elastic-ip" -> ElasticAddressMove.plan(ec2, interfaces, wish);
                case "interface" -> InterfaceMove.plan(ec2, interfaces, wish, wait);
                default ->
                    throw new CloudException(
                            Kind.INVALID,
                            "EC2 has no way \"" + wish.way()
                                    + "\": choose secondary-ip, prefix, route, elastic-ip or interface");
            };
            return new Named(move);
        });
    }

    /** Makes the network's exception of the cloud's. */
    private record Named(AddressMove plan) implements AddressMove {
        @Override
        public AddressWish wish() {
            return plan.wish();
        }

        @Override
        public void prepare() {
            run(plan::prepare);
        }

        @Override
        public void move() {
            run(plan::move);
        }

        @Override
        public boolean isMoved() {
            return named(wish(), plan::isMoved);
        }

        @Override
        public void undo() {
            run(plan::undo);
        }

        private void run(Runnable step) {
            named(wish(), () -> {
                step.run();
                return true;
            });
        }
    }

    private static <T> T named(AddressWish wish, Supplier<T> step) {
        try {
            return step.get();
        } catch (CloudException e) {
            throw new NetworkException(
                    "cannot move " + wish.address() + " from " + wish.from() + " to " + wish.to() + " by " + wish.way()
                            + ": " + e.getMessage(),
                    e);
        }
    }
}
