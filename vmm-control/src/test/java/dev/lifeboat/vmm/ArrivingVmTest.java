// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.stream.GuestMemory;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ArrivingVmTest {
    @Test
    void oneThatWasGivenUpIsNeitherBuiltNorStarted() {
        VmmConfig config = new VmmConfig(
                VmmConfig.Mode.RECEIVE,
                "web",
                "host-b",
                1 << 20,
                1,
                "host",
                Optional.empty(),
                Optional.empty(),
                "",
                List.of(),
                List.of(),
                Optional.empty(),
                1_000,
                Optional.empty(),
                Optional.empty(),
                "/run/x/sock",
                "/run/x/console",
                new VmmConfig.Files("/run/x", "/run/x"));
        try (GuestMemory memory = new GuestMemory(1 << 20)) {
            ArrivingVm arriving = new ArrivingVm(
                    config,
                    () -> {
                        throw new AssertionError("its devices were asked for");
                    },
                    memory,
                    null,
                    null);
            arriving.discard();
            arriving.discard();
            assertThatThrownBy(() -> arriving.build(new byte[0]))
                    .isInstanceOf(VmmException.class)
                    .hasMessageContaining("VM web was stopped while it arrived");
            assertThatThrownBy(arriving::resume).isInstanceOf(VmmException.class);
        }
    }
}
