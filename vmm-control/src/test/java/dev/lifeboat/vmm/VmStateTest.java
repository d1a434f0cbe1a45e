// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.vmm.device.SerialState;
import dev.lifeboat.vmm.device.VirtQueueState;
import dev.lifeboat.vmm.device.VirtioMmioState;
import dev.lifeboat.vmm.device.VirtioRngState;
import dev.lifeboat.vmm.kvm.ClockState;
import dev.lifeboat.vmm.kvm.CpuCompatibility;
import dev.lifeboat.vmm.kvm.KvmState;
import dev.lifeboat.vmm.kvm.VcpuState;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class VmStateTest {
    @Test
    void whatIsSavedIsWhatIsRead() {
        VmState state = state(VmState.VERSION);

        assertThat(VmState.decode(state.encode())).usingRecursiveComparison().isEqualTo(state);
    }

    @Test
    void anotherVersionIsRefused() {
        byte[] bytes = state(VmState.VERSION + 1).encode();

        assertThatThrownBy(() -> VmState.decode(bytes))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("version 2");
    }

    @Test
    void aTornStateIsRefused() {
        byte[] bytes = state(VmState.VERSION).encode();
        for (int length : new int[] {0, 1, bytes.length / 2, bytes.length - 1}) {
            assertThatThrownBy(() -> VmState.decode(Arrays.copyOf(bytes, length)))
                    .isInstanceOf(VmmException.class);
        }
    }

    private static VmState state(int version) {
        byte[] bytes = {1, -2, 3};
        CpuCompatibility.Key cpu = new CpuCompatibility.Key(1, "AuthenticAMD", "AMD", new int[] {1, -1}, 4096);
        VcpuState vcpu =
                new VcpuState(0, 3, bytes, bytes, bytes, bytes, bytes, bytes, 2_700_000, true, -5, bytes, bytes, bytes);
        KvmState kvm =
                new KvmState(cpu, new ClockState(1, 2, 3, 4), bytes, List.of(bytes, bytes, bytes), List.of(vcpu));
        SerialState serial =
                new SerialState(SerialState.VERSION, 12, 0, 5, 1, 3, 8, 0x55, true, false, List.of(65, 255));
        VirtQueueState queue = new VirtQueueState(64, 32, true, 0x1000, 0x2000, 0x3000, 65535, 7);
        VirtioMmioState device = new VirtioMmioState(
                VirtioMmioState.VERSION,
                4,
                1L << 32,
                1L << 32,
                1,
                1,
                0,
                15,
                2,
                1,
                List.of(queue),
                new VirtioRngState(1));
        return new VmState(version, 512L << 20, kvm, serial, List.of(device));
    }
}
