// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.google.FakeGoogle;
import dev.lifeboat.cloudfakes.google.GoogleTiming;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GoogleAddressesTest extends GoogleBench {
    private static final String A = ZONE + "/host-a";
    private static final String B = OTHER_ZONE + "/host-b";
    private static final Predicate<FakeRequest> UPDATE = r -> r.path().endsWith("/updateNetworkInterface");

    @BeforeEach
    void hosts() {
        fake.addInstance(ZONE, "host-a", "10.0.0.2", Map.of());
        fake.addInstance(OTHER_ZONE, "host-b", "10.0.0.3", Map.of());
    }

    private AddressMove plan(String way, String address) {
        return cloud.addresses().plan(new AddressWish(way, address, A, B));
    }

    private List<String> aliases(String id) {
        List<String> found = new ArrayList<>();
        fake.resource("zones/" + id.replace("/", "/instances/"))
                .orElseThrow()
                .path("networkInterfaces")
                .path(0)
                .path("aliasIpRanges")
                .forEach(a -> found.add(a.path("ipCidrRange").asText() + " "
                        + a.path("subnetworkRangeName").asText()));
        return found;
    }

    @Test
    void anAliasRangeLeavesTheSourceAndReachesTheTargetWithoutTouchingOthers() {
        fake.withTiming(GoogleTiming.real());
        fake.addAlias(A, "10.64.0.7/32", "vms");
        fake.addAlias(A, "10.64.0.8/32", "vms");
        fake.addAlias(B, "10.64.0.9/32", "vms");
        AddressMove move = plan("alias", "10.64.0.7");
        move.prepare();
        assertThat(move.isMoved()).isFalse();

        move.move();

        assertThat(move.isMoved()).isTrue();
        assertThat(aliases(A)).containsExactly("10.64.0.8/32 vms");
        assertThat(aliases(B)).containsExactly("10.64.0.9/32 vms", "10.64.0.7/32 vms");
        move.undo();
        assertThat(aliases(A)).containsExactly("10.64.0.8/32 vms", "10.64.0.7/32 vms");
        assertThat(aliases(B)).containsExactly("10.64.0.9/32 vms");
    }

    @Test
    void theLastAliasRangeIsRemovedByAnEmptyListThatIsWrittenOut() {
        fake.addAlias(A, "10.64.0.7/32", "vms");
        plan("alias", "10.64.0.7/32").move();
        assertThat(fake.requests(UPDATE).get(0).body()).contains("\"aliasIpRanges\":[]");
        assertThat(aliases(A)).isEmpty();
    }

    @Test
    void aMoveOfAnAliasThatBrokeOffInTheMiddleIsTakenUp() {
        fake.addAlias(A, "10.64.0.7/32", "vms");
        for (int i = 0; i < 5; i++) {
            fake.failNext(r -> UPDATE.test(r) && r.path().contains("host-b"), Fault.status(FakeGoogle.broken()));
        }
        AddressMove broken = plan("alias", "10.64.0.7");
        assertThatThrownBy(broken::move).isInstanceOf(CloudException.class);
        assertThat(aliases(A)).isEmpty();
        assertThat(broken.isMoved()).isFalse();

        AddressMove again = plan("alias", "10.64.0.7");
        again.move();

        assertThat(again.isMoved()).isTrue();
        assertThat(aliases(B)).containsExactly("10.64.0.7/32 vms");
        int updates = fake.requests(UPDATE).size();
        again.move();
        assertThat(fake.requests(UPDATE)).hasSize(updates);
    }

    @Test
    void anInterfaceThatSomebodyElseChangesIsReadAnew() {
        fake.addAlias(A, "10.64.0.7/32", "vms");
        fake.failNext(
                UPDATE,
                Fault.status(dev.lifeboat.cloudfakes.FakeAnswer.json(
                        412, "{\"error\":{\"code\":412,\"message\":\"Invalid fingerprint.\"}}")));
        AddressMove move = plan("alias", "10.64.0.7");
        move.move();
        assertThat(move.isMoved()).isTrue();
    }

    @Test
    void aRouteIsNeverMissingWhileItMoves() throws Exception {
        fake.withTiming(GoogleTiming.real());
        fake.addRoute("vm-7", "172.31.0.7/32", 1000, A);
        AddressMove move = plan("route", "172.31.0.7");
        List<String> gaps = new ArrayList<>();
        Thread mover = new Thread(move::move, "mover");
        mover.start();
        long limitNs = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (mover.isAlive() && System.nanoTime() < limitNs) {
            if (fake.routes().isEmpty()) {
                gaps.add("no route");
            }
            Thread.onSpinWait();
        }
        mover.join(Duration.ofSeconds(1).toMillis());

        assertThat(gaps).isEmpty();
        assertThat(move.isMoved()).isTrue();
        JsonNode route = fake.routes().get(0);
        assertThat(fake.routes()).hasSize(1);
        assertThat(route.path("priority").asInt()).isEqualTo(999);
        assertThat(route.path("nextHopInstance").asText()).endsWith("zones/europe-west3-b/instances/host-b");
    }

    @Test
    void aRouteMoveThatLeftBothRoutesIsFinishedOrUndone() {
        fake.addRoute("vm-7", "172.31.0.7/32", 1000, A);
        fake.addRoute("newer", "172.31.0.7/32", 999, B);
        AddressMove move = plan("route", "172.31.0.7/32");
        assertThat(move.isMoved()).isFalse();
        move.undo();
        assertThat(fake.routes()).hasSize(1);
        assertThat(fake.routes().get(0).path("nextHopInstance").asText()).endsWith("/host-a");
        move.move();
        assertThat(move.isMoved()).isTrue();
    }

    @Test
    void aRouteThatHasMovedOftenStartsAgainFromTheUsualPriority() {
        fake.addRoute("vm-7", "172.31.0.7/32", 900, A);
        AddressMove move = plan("route", "172.31.0.7");
        move.move();
        assertThat(move.isMoved()).isTrue();
        assertThat(fake.routes())
                .singleElement()
                .satisfies(r -> assertThat(r.path("priority").asInt()).isEqualTo(1000));
    }

    @Test
    void theLeaderBecomesTheTargetOnceItIsAMember() {
        fake.withTiming(GoogleTiming.real());
        fake.addGarpService("europe-west3", "vm-7", "10.0.1.7", List.of(A, B));
        AddressMove move = plan("garp-leader", "10.0.1.7");
        move.prepare();
        assertThat(move.isMoved()).isFalse();

        move.move();

        assertThat(move.isMoved()).isTrue();
        Optional<JsonNode> service = fake.resource("regions/europe-west3/backendServices/vm-7");
        assertThat(service.orElseThrow().path("haPolicy").path("fastIPMove").asText())
                .isEqualTo("GARP_RA");
        move.undo();
        assertThat(move.isMoved()).isFalse();
    }

    @Test
    void whatCannotBeIsSaidAtThePlan() {
        assertThatThrownBy(() -> plan("prefix", "10.64.0.7"))
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining("alias, route or garp-leader");
        assertThatThrownBy(() -> plan("garp-leader", "10.0.1.7"))
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining("10.0.1.7");
    }
}
