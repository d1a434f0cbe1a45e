// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.azure.AzureFake;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AzureAddressesTest extends AzureTest {
    private static final String GUEST = "10.0.0.100";
    private static final FakeAnswer REFUSED =
            FakeAnswer.json(409, "{\"error\":{\"code\":\"AnotherOperationInProgress\",\"message\":\"later\"}}");

    @BeforeEach
    void twoHosts() {
        fake.operationsTake(Duration.ofSeconds(5));
        fake.addInstance("a", "Standard_D4s_v5", "1", true, "10.0.0.4", Map.of());
        fake.addInstance("b", "Standard_D4s_v5", "1", true, "10.0.0.5", Map.of());
    }

    private AddressMove plan(String way, String address) {
        return cloud.addresses().plan(new AddressWish(way, address, "a", "b"));
    }

    private List<String> addresses(String instance) {
        List<String> all = new ArrayList<>();
        for (JsonNode ip : fake.resource(instance + "-nic").at("/properties/ipConfigurations")) {
            all.add(ip.at("/properties/privateIPAddress").asText());
        }
        return all;
    }

    private static Predicate<FakeRequest> put(String resource) {
        return request -> request.method().equals("PUT") && request.path().endsWith("/" + resource);
    }

    @Test
    void aSecondAddressLeavesOneInterfaceAndEntersTheOther() throws IOException {
        fake.addIpConfiguration("a", "guest", GUEST);
        AddressMove move = plan("ip-configuration", GUEST);
        String etag = fake.resource("b-nic").path("etag").asText();

        move.prepare();
        assertThat(move.isMoved()).isFalse();
        move.move();

        assertThat(move.isMoved()).isTrue();
        assertThat(addresses("a")).containsExactly("10.0.0.4");
        assertThat(addresses("b")).containsExactly("10.0.0.5", GUEST);
        FakeRequest put = fake.requests(put("b-nic")).get(0);
        assertThat(put.header("If-Match")).contains(etag);
        assertThat(json(put).at("/properties/ipConfigurations/1"))
                .isEqualTo(json("{'name':'lifeboat-10-0-0-100','properties':{'privateIPAddress':'10.0.0.100',"
                        + "'privateIPAllocationMethod':'Static','privateIPAddressVersion':'IPv4','primary':false,"
                        + "'subnet':{'id':'" + AzureFake.SUBNET + "'}}}"));
    }

    @Test
    void aMoveThatDiedBetweenItsTwoCallsIsFinishedByAnotherProcess() {
        fake.addIpConfiguration("a", "guest", GUEST);
        fake.failNext(put("b-nic"), Fault.status(REFUSED));
        AddressMove died = plan("ip-configuration", GUEST);
        assertThatThrownBy(died::move).isInstanceOf(CloudException.class);
        assertThat(addresses("a")).doesNotContain(GUEST);
        assertThat(addresses("b")).doesNotContain(GUEST);
        assertThat(died.isMoved()).isFalse();

        AddressMove again = plan("ip-configuration", GUEST);
        again.move();
        assertThat(again.isMoved()).isTrue();
        int calls = fake.requests(request -> request.method().equals("PUT")).size();
        again.move();
        assertThat(fake.requests(request -> request.method().equals("PUT"))).hasSize(calls);
    }

    @Test
    void undoGivesTheAddressBackWhereverItIs() {
        fake.addIpConfiguration("a", "guest", GUEST);
        AddressMove move = plan("ip-configuration", GUEST);
        move.move();
        move.undo();
        assertThat(addresses("a")).contains(GUEST);
        assertThat(addresses("b")).doesNotContain(GUEST);

        fake.failNext(put("b-nic"), Fault.status(REFUSED));
        assertThatThrownBy(move::move).isInstanceOf(CloudException.class);
        move.undo();
        assertThat(addresses("a")).contains(GUEST);
        assertThat(move.isMoved()).isFalse();
    }

    @Test
    void anInterfaceThatSomebodyElseChangedMeanwhileIsReadAgain() {
        fake.addIpConfiguration("a", "guest", GUEST);
        AddressMove move = plan("ip-configuration", GUEST);
        fake.failNext(
                put("a-nic"),
                Fault.status(
                        FakeAnswer.json(412, "{\"error\":{\"code\":\"PreconditionFailed\",\"message\":\"etag\"}}")));
        // The answer is lost, and the SDK's own repetition meets the new etag.
        fake.failNext(put("b-nic"), Fault.lostAnswer());

        move.move();

        assertThat(move.isMoved()).isTrue();
        assertThat(addresses("b")).containsExactly("10.0.0.5", GUEST);
    }

    @Test
    void aRouteIsMovedInEveryTableThatHasIt() throws IOException {
        fake.addRouteTable("front", "guest", "192.168.7.1/32", "10.0.0.4");
        fake.addRouteTable("back", "to-guest", "192.168.7.1/32", "10.0.0.4");
        fake.addRouteTable("other", "else", "192.168.9.9/32", "10.0.0.4");
        AddressMove move = plan("route", "192.168.7.1");

        move.prepare();
        assertThat(fake.resource("b-nic").at("/properties/enableIPForwarding").asBoolean())
                .isTrue();
        fake.failNext(put("back/routes/to-guest"), Fault.status(REFUSED));
        assertThatThrownBy(move::move).isInstanceOf(CloudException.class);
        assertThat(move.isMoved()).as("one table of two").isFalse();
        plan("route", "192.168.7.1").move();

        assertThat(move.isMoved()).isTrue();
        FakeRequest put = fake.requests(put("front/routes/guest")).get(0);
        assertThat(json(put))
                .isEqualTo(json("{'name':'guest','properties':{'addressPrefix':'192.168.7.1/32',"
                        + "'nextHopType':'VirtualAppliance','nextHopIpAddress':'10.0.0.5'}}"));
        assertThat(fake.requests(put("front/routes/guest"))).as("not twice").hasSize(1);
        assertThat(fake.resource("other")
                        .at("/properties/routes/0/properties/nextHopIpAddress")
                        .asText())
                .isEqualTo("10.0.0.4");

        move.undo();
        assertThat(move.isMoved()).isFalse();
        for (String table : List.of("front", "back")) {
            assertThat(fake.resource(table)
                            .at("/properties/routes/0/properties/nextHopIpAddress")
                            .asText())
                    .isEqualTo("10.0.0.4");
        }
    }

    @Test
    void aBackEndPoolChangesItsMemberWithoutBeingEmpty() {
        fake.addLoadBalancer("lb", "10.0.0.200", "a");
        AddressMove move = plan("load-balancer", "10.0.0.200");
        fake.failNext(put("a-nic"), Fault.status(REFUSED));

        assertThatThrownBy(move::move).isInstanceOf(CloudException.class);
        assertThat(pools("b")).as("the target came first").hasSize(1);
        assertThat(move.isMoved()).isFalse();
        AddressMove again = plan("load-balancer", "10.0.0.200");
        again.move();
        assertThat(again.isMoved()).isTrue();
        assertThat(pools("a")).isEmpty();

        again.undo();
        assertThat(pools("a")).hasSize(1);
        assertThat(pools("b")).isEmpty();
        assertThat(again.isMoved()).isFalse();
    }

    private JsonNode pools(String instance) {
        return fake.resource(instance + "-nic")
                .at("/properties/ipConfigurations/0/properties/loadBalancerBackendAddressPools");
    }

    @Test
    void whatCannotMoveIsRefusedBeforeAnythingIsChanged() {
        fake.addRouteTable("front", "guest", "192.168.7.1/32", "10.0.0.250");

        for (Map.Entry<AddressWish, String> each : Map.of(
                        new AddressWish("elastic-ip", GUEST, "a", "b"), "Azure knows ip-configuration, route",
                        new AddressWish("ip-configuration", "10.0.0.4", "a", "b"), "first address",
                        new AddressWish("ip-configuration", GUEST, "a", "nobody"), "no VM nobody",
                        new AddressWish("route", "192.168.7.2", "a", "b"), "no route table",
                        new AddressWish("route", "192.168.7.1", "a", "b"), "neither of the two hosts",
                        new AddressWish("load-balancer", "10.0.0.200", "a", "b"), "no load balancer")
                .entrySet()) {
            assertThatThrownBy(() -> cloud.addresses().plan(each.getKey()))
                    .isInstanceOf(NetworkException.class)
                    .hasMessageContaining(each.getValue())
                    .hasMessageNotContaining("\n");
        }
        assertThat(fake.requests(request -> !request.method().equals("GET"))).isEmpty();
    }
}
