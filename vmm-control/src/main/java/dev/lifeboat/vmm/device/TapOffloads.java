// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

/** Where a {@link VirtioNet} says which offloads its guest accepted: {@link dev.lifeboat.linux.net.Tap#setOffloads}. */
@FunctionalInterface
interface TapOffloads {
    void set(boolean checksum, boolean tso4, boolean tso6);
}
