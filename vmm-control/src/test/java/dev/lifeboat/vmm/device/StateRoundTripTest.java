// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class StateRoundTripTest {
    private static final ObjectMapper CBOR = new CBORMapper();

    static Stream<Record> states() {
        return Stream.of(
                new SerialState(SerialState.VERSION, 1, 2, 3, 0xc1, 5, 6, 7, true, true, List.of(0, 127, 255)),
                transport(new VirtioBlockState(VirtioBlockState.VERSION, 1L << 40, true)),
                transport(new VirtioNetState(VirtioNetState.VERSION, "52:54:00:00:00:01", 1380)),
                transport(new VirtioRngState(VirtioRngState.VERSION)));
    }

    private static VirtioMmioState transport(VirtioDeviceState device) {
        return new VirtioMmioState(
                VirtioMmioState.VERSION,
                1,
                0x1_3000_0021L,
                0x1_2000_0020L,
                1,
                0,
                2,
                0xf,
                77,
                3,
                List.of(
                        new VirtQueueState(
                                256, 128, true, 0x1_0000_0000L, 0x1_0000_1000L, 0x1_0000_2000L, 65535, 65533),
                        new VirtQueueState(256, 0, false, 0, 0, 0, 0, 0)),
                device);
    }

    @ParameterizedTest
    @MethodSource("states")
    void everyStateComesBackFromCborAsItWas(Record state) throws IOException {
        assertThat(CBOR.readValue(CBOR.writeValueAsBytes(state), state.getClass()))
                .isEqualTo(state);
    }

    @Test
    void aStateOfANewerProgramIsRefusedWithBothVersions() {
        assertThatThrownBy(() -> new VirtioRngState(2))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("version 2")
                .hasMessageContaining("version 1");
    }
}
