// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

/** A look at where packets really go, for the cloud's own description is ahead of its network. */
public interface DataPath {
    /** Whether what is sent to the address arrives at the target. Returns within seconds. */
    boolean leadsToTarget(AddressWish wish);
}
