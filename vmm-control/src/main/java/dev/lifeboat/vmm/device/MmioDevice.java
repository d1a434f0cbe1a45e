// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** Something on the memory-mapped bus. Called on vCPU threads, from several at once; offsets are relative to it. */
public interface MmioDevice {
    /** Reads 1, 2, 4 or 8 bytes; what does not exist reads as 0. */
    long read(long offset, int lengthBytes);

    /** Writes 1, 2, 4 or 8 bytes; what does not exist is ignored. */
    void write(long offset, int lengthBytes, long value);
}
