// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.stream.FrameConsumer;
import dev.lifeboat.stream.FrameInjector;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.HeldFrames;
import dev.lifeboat.vmm.device.VirtioBlock;
import dev.lifeboat.vmm.device.VirtioDevice;
import dev.lifeboat.vmm.device.VirtioNet;
import dev.lifeboat.vmm.device.VirtioRng;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The virtio devices of a configuration, in the order of their places on the bus: networks, disks, the random source.
 * That order is part of a VM's saved state. Also the way to the first network's held frames, which a migration carries;
 * the device may be built after the migration was set up.
 */
final class VmDevices implements HeldFrames, FrameInjector {
    /** The guest's MTU unless its command line says otherwise: fits into VXLAN on any cloud. */
    private static final int MTU = 1380;

    private final VmmConfig config;
    private final VmDisks disks;
    private volatile VirtioNet network;

    VmDevices(VmmConfig config, VmDisks disks) {
        this.config = config;
        this.disks = disks;
    }

    List<Function<GuestMemory, VirtioDevice>> makers() {
        List<Function<GuestMemory, VirtioDevice>> makers = new ArrayList<>();
        for (int i = 0; i < config.networks().size(); i++) {
            VmmConfig.Network net = config.networks().get(i);
            String name = "virtio-net-" + i;
            boolean first = i == 0;
            makers.add(memory -> {
                VirtioNet made = VirtioNet.open(name, memory, net.tap(), net.mac(), MTU);
                if (first) {
                    network = made;
                }
                return made;
            });
        }
        for (int i = 0; i < config.disks().size(); i++) {
            int number = i;
            String name = "virtio-blk-" + i;
            makers.add(memory -> new VirtioBlock(name, memory, disks.get(number), name));
        }
        makers.add(memory -> new VirtioRng("virtio-rng-0", memory));
        return makers;
    }

    Optional<HeldFrames> heldFrames() {
        return config.networks().isEmpty() ? Optional.empty() : Optional.of(this);
    }

    Optional<FrameInjector> injector() {
        return config.networks().isEmpty() ? Optional.empty() : Optional.of(this);
    }

    @Override
    public int drain(FrameConsumer consumer, int timeoutMs) {
        VirtioNet present = network;
        return present == null ? -1 : present.drain(consumer, timeoutMs);
    }

    @Override
    public boolean inject(ByteBuffer frame) {
        VirtioNet present = network;
        return present != null && present.inject(frame);
    }
}
