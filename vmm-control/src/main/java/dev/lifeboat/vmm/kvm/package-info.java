// SPDX-License-Identifier: Apache-2.0
/**
 * The virtual machine on KVM: what the host can do, the CPU a guest sees, vCPU threads and exits, buses, dirty log, and
 * the orders in which state is saved and restored.
 */
package dev.lifeboat.vmm.kvm;
