// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** How the name of a store key travels: agent.json, the VM's description, vmm.json. */
class StoreKeyTest {
    private static final String SPEC = "{\"vmId\": \"web\", \"memoryMiB\": 64, \"vcpus\": 1, \"kernel\": \"/k\","
            + " \"epochIntervalMs\": 1000%s}";

    @Test
    void aVmsOwnKeyComesBeforeTheAgents() throws IOException {
        VmmConfig.Store agents =
                Json.MAPPER.readValue("{\"url\": \"dir:/x\", \"key\": \"file:/etc/agent\"}", VmmConfig.Store.class);
        VmSpec plain = Json.MAPPER.readValue(SPEC.formatted(""), VmSpec.class);
        VmSpec keyed = Json.MAPPER.readValue(SPEC.formatted(", \"storeKey\": \"file:/etc/vm\""), VmSpec.class);
        assertThat(agents.withKey(plain.storeKey()).key()).contains("file:/etc/agent");
        assertThat(agents.withKey(keyed.storeKey()).key()).contains("file:/etc/vm");
        assertThat(Json.MAPPER
                        .readValue("{\"url\": \"dir:/x\"}", VmmConfig.Store.class)
                        .key())
                .isEmpty();
    }

    @Test
    void descriptionsGoToPeersAndComeBackAsTheyWere() throws IOException {
        VmSpec keyed = Json.MAPPER.readValue(SPEC.formatted(", \"storeKey\": \"file:/etc/vm\""), VmSpec.class);
        assertThat(Json.MAPPER.readValue(Json.MAPPER.writeValueAsBytes(keyed), VmSpec.class))
                .isEqualTo(keyed);
        VmmConfig.Store store =
                new VmmConfig.Store("dir:/x", Optional.empty(), Optional.empty()).withKey(keyed.storeKey());
        assertThat(Json.MAPPER.readValue(Json.MAPPER.writeValueAsBytes(store), VmmConfig.Store.class))
                .isEqualTo(store);
    }
}
