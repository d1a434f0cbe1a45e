// SPDX-License-Identifier: Apache-2.0
/**
 * The KVM interface (Documentation/virt/kvm/api.rst), typed: one class per kind of file descriptor, request numbers and
 * struct offsets as constants that a test compares with the C headers. No policy: orders of save and restore are the
 * monitor's.
 */
package dev.lifeboat.linux.kvm;
