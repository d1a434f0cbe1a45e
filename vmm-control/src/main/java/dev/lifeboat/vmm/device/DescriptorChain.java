// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/**
 * One buffer that the driver made available: where its pieces stand in an {@link IoVectors}, readable ones first.
 * Filled by {@link VirtQueue#pop} and used again; one device thread.
 */
final class DescriptorChain {
    int head;
    int first;
    int readableCount;
    int writableCount;
    long readableBytes;
    long writableBytes;

    int firstWritable() {
        return first + readableCount;
    }

    int end() {
        return first + readableCount + writableCount;
    }
}
