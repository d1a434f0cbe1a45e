// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.vmm.VmmConfig.Owners;
import dev.lifeboat.vmm.VmmConfig.Ownership;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** How a VM's ownership is configured and handed from host to host. */
class OwnersConfigTest {
    private static VmSpec spec(Owners owners) {
        return new VmSpec(
                "vm-1",
                64,
                1,
                "/boot/vmlinuz",
                Optional.empty(),
                "",
                Optional.empty(),
                List.of(),
                1_000,
                Optional.empty(),
                Optional.empty(),
                owners);
    }

    @Test
    void aDescriptionWithoutOwnersIsOneOfStrictModeInTheStore() throws JsonProcessingException {
        ObjectNode json = Json.MAPPER.valueToTree(spec(Owners.IN_THE_STORE));
        json.remove("owners");
        VmSpec read = Json.MAPPER.treeToValue(json, VmSpec.class);
        assertThat(read.owners()).isEqualTo(Owners.IN_THE_STORE);
        assertThat(read.owners().lease()).isEmpty();
    }

    @Test
    void theOwnersOfAVmArriveAtAPeerAsTheyWere() throws JsonProcessingException {
        VmSpec spec = spec(new Owners(Optional.of("etcd://10.0.0.1:2379/fleet"), Ownership.LEASE, 4_000));
        VmSpec read = Json.MAPPER.treeToValue(Json.MAPPER.valueToTree(spec), VmSpec.class);
        assertThat(read).isEqualTo(spec);
        assertThat(read.owners().lease().orElseThrow().leaseMillis()).isEqualTo(4_000);
    }

    @Test
    void aLeaseThatCannotBeRenewedInTimeIsRefused() {
        assertThatThrownBy(() -> new Owners(Optional.empty(), Ownership.LEASE, 100))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2000 or more");
    }
}
