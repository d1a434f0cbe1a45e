// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** Something on the x86 port bus. Called on vCPU threads, from several at once; ports are relative to its first. */
public interface PortDevice {
    /** Reads one byte; what does not exist reads as 0xff. */
    int read(int port);

    void write(int port, int value);
}
