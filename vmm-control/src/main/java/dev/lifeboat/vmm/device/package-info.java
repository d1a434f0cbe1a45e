// SPDX-License-Identifier: Apache-2.0
/**
 * The devices of a microVM. None knows KVM: a device takes guest memory, an interrupt line and eventfds, and so its tests
 * need no virtual machine. Port devices ({@link dev.lifeboat.vmm.device.Serial16550},
 * {@link dev.lifeboat.vmm.device.I8042}) run on the vCPU thread that touches them. A virtio device sits behind a
 * {@link dev.lifeboat.vmm.device.VirtioMmioTransport} and has one thread of its own, from its activation to its reset.
 *
 * <p>Each device has its state record beside it. Order of a move, each step with its reason at the method: stop the
 * vCPUs, pause the transports, save; at the other side guest memory, restore, irqfd and ioeventfd, resume the transports,
 * start the vCPUs.
 */
package dev.lifeboat.vmm.device;
