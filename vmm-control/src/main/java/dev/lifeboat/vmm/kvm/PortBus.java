// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.vmm.device.PortDevice;

/** The 65,536 ports of a VM. Filled before the vCPUs start, then read by all of them without a lock. */
final class PortBus {
    private static final int PORTS = 1 << 16;

    private final PortDevice[] devices = new PortDevice[PORTS];
    private final char[] firstPorts = new char[PORTS];

    void add(int firstPort, int count, PortDevice device) {
        for (int port = firstPort; port < firstPort + count; port++) {
            if (devices[port] != null) {
                throw new IllegalStateException("port 0x" + Integer.toHexString(port) + " is taken");
            }
            devices[port] = device;
            firstPorts[port] = (char) firstPort;
        }
    }

    /** One byte; a port with nothing behind it reads as 0xff, as on a real bus that nobody drives. */
    int read(int port) {
        PortDevice device = devices[port];
        return device == null ? 0xff : device.read(port - firstPorts[port]);
    }

    void write(int port, int value) {
        PortDevice device = devices[port];
        if (device != null) {
            device.write(port - firstPorts[port], value);
        }
    }
}
