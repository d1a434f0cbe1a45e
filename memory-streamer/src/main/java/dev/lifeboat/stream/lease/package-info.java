// SPDX-License-Identifier: Apache-2.0
/**
 * Lease mode: the right to run a guest as something that ends by itself (docs/protocol.md, "Ownership"). {@code Lease} is the
 * arithmetic, {@code LeasedVm} the gate in front of the VM, {@link dev.lifeboat.stream.lease.LeaseKeeper} their threads.
 */
package dev.lifeboat.stream.lease;
