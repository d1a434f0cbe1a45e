// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import dev.lifeboat.vmm.device.SerialState;
import dev.lifeboat.vmm.device.VirtQueueState;
import dev.lifeboat.vmm.device.VirtioMmioState;
import dev.lifeboat.vmm.device.VirtioRngState;
import dev.lifeboat.vmm.kvm.ClockState;
import dev.lifeboat.vmm.kvm.CpuCompatibility;
import dev.lifeboat.vmm.kvm.KvmState;
import dev.lifeboat.vmm.kvm.VcpuState;
import java.io.IOException;
import java.util.List;

/**
 * Everything of a VM besides its memory, as CBOR. A reader takes its own version only: both hosts of a move run the same
 * release.
 *
 * @param devices in the order of their places on the bus
 */
public record VmState(int version, long memoryBytes, KvmState kvm, SerialState serial, List<VirtioMmioState> devices) {
    public static final int VERSION = 1;

    /** Enough for the first compiler; more only heats the host while the guest boots. */
    private static final int WARM_UP_ROUNDS = 100;

    private static final CBORMapper MAPPER = CBORMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .build();
    private static final ObjectWriter WRITER = MAPPER.writerFor(VmState.class);
    private static final ObjectReader READER = MAPPER.readerFor(VmState.class);

    public VmState {
        devices = List.copyOf(devices);
    }

    byte[] encode() {
        try {
            return WRITER.writeValueAsBytes(this);
        } catch (JsonProcessingException e) {
            throw new VmmException("the VM's state cannot be encoded: " + e.getOriginalMessage(), e);
        }
    }

    /** Encodes and decodes a small state of the right shape a few times; see MicroVm. */
    static void warmUp() {
        byte[] bytes = new byte[1024];
        CpuCompatibility.Key cpu = new CpuCompatibility.Key(1, "", "", new int[1], 0);
        VcpuState vcpu =
                new VcpuState(0, 0, bytes, bytes, bytes, bytes, bytes, bytes, 0, false, 0, bytes, bytes, bytes);
        KvmState kvm = new KvmState(cpu, new ClockState(0, 0, 0, 0), bytes, List.of(bytes), List.of(vcpu));
        SerialState serial = new SerialState(SerialState.VERSION, 0, 0, 0, 0, 0, 0, 0, false, false, List.of());
        VirtQueueState queue = new VirtQueueState(1, 1, false, 0, 0, 0, 0, 0);
        VirtioMmioState device = new VirtioMmioState(
                VirtioMmioState.VERSION, 4, 0, 0, 0, 0, 0, 0, 0, 0, List.of(queue), new VirtioRngState(1));
        for (int i = 0; i < WARM_UP_ROUNDS; i++) {
            decode(new VmState(VERSION, 0, kvm, serial, List.of(device)).encode());
        }
    }

    /** @throws VmmException when the bytes are not a state of this version; nothing has been done yet */
    public static VmState decode(byte[] bytes) {
        VmState state;
        try {
            state = READER.readValue(bytes);
        } catch (IOException e) {
            throw new VmmException(
                    "the saved state of the VM is damaged or of another release (" + e.getMessage()
                            + "); take an older epoch, or run the same release on both hosts",
                    e);
        }
        if (state.version() != VERSION) {
            throw new VmmException("the saved VM has state version " + state.version() + ", this program knows "
                    + VERSION + "; run the same release of lifeboat on both hosts");
        }
        return state;
    }
}
