// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.aws.AwsFake;
import dev.lifeboat.cloudfakes.aws.Ec2Form;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.time.InstantSource;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AwsAddressesTest extends AwsCase {
    private static final String SECONDARY = "10.0.1.50";
    private static final String PREFIX = "10.0.1.64/28";
    private static final String OVERLAY = "10.200.0.7";
    private static final String PUBLIC = "203.0.113.9";
    private static final String FURTHER = "10.0.1.60";

    private final long beganNs = System.nanoTime();
    private String from;
    private String to;
    private String far;

    /** Fifty times as fast as the tests', so that what takes seconds is over soon. */
    @Override
    InstantSource clock() {
        return () -> START.plusNanos(50 * (System.nanoTime() - beganNs));
    }

    @BeforeEach
    void addHostsAndAddresses() {
        from = fake.addInstance("m8i.large", ZONE_A, "10.0.1.10", Map.of()).id();
        to = fake.addInstance("m8i.large", ZONE_A, "10.0.1.11", Map.of()).id();
        far = fake.addInstance("m8i.large", ZONE_B, "10.0.2.10", Map.of()).id();
        fake.addSecondary(from, SECONDARY);
        fake.addPrefix(from, PREFIX);
        fake.addRoute("rtb-1", OVERLAY + "/32", from);
        fake.addRoute("rtb-2", OVERLAY + "/32", from);
        fake.addRoute("rtb-3", "10.200.0.8/32", from);
        fake.addElasticAddress(PUBLIC, from);
        fake.addInterface(from, FURTHER);
    }

    private AddressMove plan(String way, String address) {
        return cloud.addresses().plan(new AddressWish(way, address, from, to));
    }

    private static String addressOf(String way) {
        return switch (way) {
            case "secondary-ip" -> SECONDARY;
            case "prefix" -> PREFIX;
            case "route" -> OVERLAY;
            case "elastic-ip" -> PUBLIC;
            default -> FURTHER;
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"secondary-ip", "prefix", "route", "elastic-ip", "interface"})
    void everyWayMovesOnceHoweverOftenItIsAskedAndGivesBack(String way) {
        AddressMove move = plan(way, addressOf(way));
        assertThat(move.isMoved()).isFalse();

        move.prepare();
        assertThat(move.isMoved()).isFalse();
        move.move();
        assertThat(move.isMoved()).isTrue();
        int calls = changes();
        move.prepare();
        move.move();
        // After a crash another process plans anew.
        AddressMove again = plan(way, addressOf(way));
        again.prepare();
        again.move();
        assertThat(again.isMoved()).isTrue();
        assertThat(changes()).as("calls that change something").isEqualTo(calls);

        move.undo();
        assertThat(move.isMoved()).isFalse();
        calls = changes();
        move.undo();
        assertThat(changes()).isEqualTo(calls);
        assertThat(cloud.addresses()
                        .plan(new AddressWish(way, addressOf(way), to, from))
                        .isMoved())
                .isTrue();
    }

    private int changes() {
        return (int) fake.calls().stream()
                .filter(call -> !call.startsWith("Describe"))
                .count();
    }

    @Test
    void aSecondaryAddressIsReassignedByOneCall() {
        plan("secondary-ip", SECONDARY).move();

        Ec2Form sent = fake.forms("AssignPrivateIpAddresses").get(0);
        assertThat(sent.fields())
                .containsEntry("AllowReassignment", "true")
                .containsEntry("PrivateIpAddress.1", SECONDARY)
                .containsKey("NetworkInterfaceId")
                .hasSize(5);
    }

    @Test
    void aPrefixThatIsNotReassignedByOneCallIsTakenAndGiven() {
        fake.prefixesMoveInTwoCalls(true);
        AddressMove move = plan("prefix", PREFIX);

        move.move();

        assertThat(move.isMoved()).isTrue();
        assertThat(fake.calls())
                .containsSubsequence(
                        "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "AssignPrivateIpAddresses");
    }

    @Test
    void halfOfTheRouteTablesIsNotMovedAndTheNextTryFinishesIt() {
        AddressMove move = plan("route", OVERLAY);
        fake.failNext(
                request ->
                        calling("ReplaceRoute").test(request) && request.body().contains("rtb-2"),
                Fault.status(AwsFake.error(400, "InvalidParameterValue", "not now")));

        assertThatThrownBy(move::move).isInstanceOf(NetworkException.class).hasMessageContaining("rtb-2");
        assertThat(move.isMoved()).isFalse();
        plan("route", OVERLAY).move();

        assertThat(move.isMoved()).isTrue();
        assertThat(fake.forms("ReplaceRoute"))
                .extracting(form -> form.get("RouteTableId").orElse(""))
                .containsExactly("rtb-1", "rtb-2", "rtb-2");
        assertThat(fake.forms("ModifyNetworkInterfaceAttribute")).hasSize(1);
        assertThat(fake.forms("ModifyNetworkInterfaceAttribute").get(0).fields())
                .containsEntry("SourceDestCheck.Value", "false");
    }

    @Test
    void anInterfaceThatIsBetweenTwoHostsAfterACrashGoesOnToTheTarget() {
        fake.failNext(
                calling("AttachNetworkInterface"),
                Fault.status(AwsFake.error(400, "InvalidParameterValue", "not now")));
        AddressMove move = plan("interface", FURTHER);
        assertThatThrownBy(move::move).isInstanceOf(NetworkException.class);

        AddressMove again = plan("interface", FURTHER);
        again.move();

        assertThat(again.isMoved()).isTrue();
        assertThat(fake.forms("DetachNetworkInterface")).hasSize(1);
    }

    @Test
    void anAnswerThatIsLostIsFoundDone() {
        fake.failNext(calling("AssociateAddress"), Fault.lostAnswer());
        AddressMove move = plan("elastic-ip", PUBLIC);

        move.move();

        assertThat(move.isMoved()).isTrue();
        assertThat(fake.forms("AssociateAddress").get(0).fields())
                .containsEntry("AllowReassociation", "true")
                .containsEntry("PrivateIpAddress", "10.0.1.11");
    }

    @Test
    void whatCannotMoveIsRefusedBeforeAnythingIsChanged() {
        refused("teleport", SECONDARY, to, "choose secondary-ip, prefix, route, elastic-ip or interface");
        refused("secondary-ip", SECONDARY, far, "two subnets");
        refused("secondary-ip", "10.0.1.10", to, "first address");
        refused("secondary-ip", "10.0.1.99", to, "neither of the two has it");
        refused("route", "10.200.0.99", to, "no route table");
        refused("elastic-ip", "203.0.113.10", to, "InvalidAddress.NotFound");
        refused("interface", FURTHER, far, "stays in " + ZONE_A);
        refused("interface", "10.0.1.10", to, "first interface");
        refused("secondary-ip", SECONDARY, "i-0123456789abcdef0", "no network interface");
        assertThat(changes()).isZero();
    }

    private void refused(String way, String address, String target, String why) {
        assertThatThrownBy(() -> cloud.addresses().plan(new AddressWish(way, address, from, target)))
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining(why)
                .hasMessageContaining(address);
    }
}
