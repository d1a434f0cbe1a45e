// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/**
 * One virtqueue as the driver set it up, and how far the device is. The rings themselves are guest memory.
 *
 * @param size descriptors, a power of two
 * @param nextAvailable the avail index of the next chain to take, 16 bits
 * @param nextUsed the used index that is published, 16 bits
 */
public record VirtQueueState(
        int maxSize,
        int size,
        boolean ready,
        long descriptorAddress,
        long availableAddress,
        long usedAddress,
        int nextAvailable,
        int nextUsed) {}
