// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A machine to start.
 *
 * @param name also names its files
 * @param cpus of the machine
 * @param memoryMib of the machine
 * @param kernel bzImage
 * @param initrd of the machine
 * @param overlay newc archive that becomes {@code /dev/vda}
 * @param fabricNics switch sockets, by MAC address, in the order of the interfaces
 * @param managementMac address of the interface towards the harness
 * @param forwardedPorts ports of the machine that the harness reaches on 127.0.0.1, by the management network
 * @param maxLife after which the process is killed whatever happened to the harness
 */
public record MachineSpec(
        String name,
        int cpus,
        int memoryMib,
        Path kernel,
        Path initrd,
        Path overlay,
        Map<String, Path> fabricNics,
        String managementMac,
        List<Integer> forwardedPorts,
        Duration maxLife) {

    public MachineSpec {
        fabricNics = new LinkedHashMap<>(fabricNics);
        forwardedPorts = List.copyOf(forwardedPorts);
    }
}
