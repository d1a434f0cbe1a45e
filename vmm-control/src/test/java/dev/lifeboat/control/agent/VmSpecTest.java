// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.vmm.Json;
import org.junit.jupiter.api.Test;

class VmSpecTest {
    private static VmSpec read(String more) throws Exception {
        return Json.MAPPER.readValue(
                "{\"vmId\":\"web\",\"memoryMiB\":64,\"vcpus\":1,\"epochIntervalMs\":0,\"kernel\":\"/boot/vmlinuz\""
                        + more + "}",
                VmSpec.class);
    }

    @Test
    void aVmIsShownTheHostsProcessorUnlessItsDescriptionSaysLess() throws Exception {
        assertThat(read("").cpuProfile()).isEqualTo("host");
        VmSpec less = read(",\"cpuProfile\":\"x86-64-v3\"");
        assertThat(less.cpuProfile()).isEqualTo("x86-64-v3");
        assertThat(Json.MAPPER.treeToValue(Json.MAPPER.valueToTree(less), VmSpec.class))
                .as("as a peer gets it")
                .isEqualTo(less);
    }

    @Test
    void aProfileThatIsNoneIsRefusedWithThoseThatAre() {
        assertThatThrownBy(() -> read(",\"cpuProfile\":\"haswell\"")).hasMessageContaining("host, x86-64-v2");
    }
}
